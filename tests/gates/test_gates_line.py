"""The gates over what dbt really builds: what they hold is not pushed, the rest is, and it comes back by itself."""

import pytest
from tests.every_workflow import with_every_workflow
from tests.stock_changes import PUSHABLE
from tests.transform.transform_facts import (
    Facts,
    at,
    netsuite_item,
    netsuite_level,
    shopify_listing,
    shopify_variant,
)

from trueup.gates.run import GateReport, run_gates
from trueup.gates.suites import Severity, default_folder, load_suites


@pytest.fixture
def shop(facts: Facts) -> Facts:
    """Two products in the main warehouse and the main store; both listings are wrong."""
    facts.land([netsuite_item("1001", "HV-00001"), netsuite_item("1002", "HV-00002")])
    facts.land([shopify_variant("1", "HV-00001"), shopify_variant("2", "HV-00002")])
    facts.land([netsuite_level("1001", 40, at(0)), netsuite_level("1002", 20, at(0))])
    facts.land([shopify_listing("1", 30, at(0)), shopify_listing("2", 5, at(0))])
    facts.build()
    return facts


def _gate(shop: Facts, run_id: str, *, is_full: bool = False) -> GateReport:
    return run_gates(shop.details, shop.configuration, run_id=run_id, is_full=is_full)


def _pushable(shop: Facts) -> list[str]:
    """What may be pushed: wanted, and withheld by no gate."""
    return sorted(row["subject_key"] for row in shop.rows(PUSHABLE))


def test_every_suite_can_validate_what_dbt_builds(shop: Facts) -> None:
    """The suites' columns are dbt's columns, and a healthy line passes everything that acts."""
    shop.declare(with_every_workflow(shop.configuration))
    shop.build()
    report = _gate(shop, "first")
    assert report.expectation_count == sum(len(suite.expectations) for suite in load_suites(default_folder()))
    assert [failure for failure in report.failed if failure.severity == Severity.CRITICAL] == []
    assert report.stopped == ()
    assert _pushable(shop) == ["HV-00001", "HV-00002"]


def test_a_mistaken_figure_is_quarantined_and_comes_back_when_it_is_right(shop: Facts) -> None:
    """A barcode keyed in as a quantity must not be sold; the other product goes on; nobody has to release it."""
    _gate(shop, "first")
    shop.land([netsuite_level("1001", 4006381, at(60))])
    shop.build()
    report = _gate(shop, "second")
    assert not report.is_full
    assert "stock_levels.on_hand_in_bounds" in {failure.rule_id for failure in report.failed}
    assert _pushable(shop) == ["HV-00002"]
    shop.land([netsuite_level("1001", 38, at(120))])
    shop.build()
    assert _gate(shop, "third").released_count >= 1
    assert _pushable(shop) == ["HV-00001", "HV-00002"]


def test_what_the_last_look_fails_stays_quarantined_while_it_is_wrong(shop: Facts) -> None:
    """The view of candidates hides quarantined rows; validating it would release them with the next build, unseen."""
    shop.execute(
        "update reconciliation.stock_differences set correlation_id = null"
        " where subject_key = 'HV-00001' and target_system = 'shopify_main'"
    )
    for number in range(3):
        shop.execute("insert into audit.builds (run_id, is_full_refresh, status) values ('b', false, 'succeeded')")
        report = _gate(shop, f"run-{number}")
        assert "stock_changes.correlation_present" in {failure.rule_id for failure in report.failed}
        assert _pushable(shop) == ["HV-00002"]


def test_a_build_of_a_few_rows_is_validated_by_its_few_rows(shop: Facts) -> None:
    """The hot path: the totals of the tables, and only the rows that the build wrote."""
    _gate(shop, "first")
    shop.land([netsuite_level("1002", 19, at(60))])
    shop.build()
    _gate(shop, "second")
    validated = shop.rows(
        "select distinct suite, evaluated_count from gates.results where run_id = 'second' and scope = 'row'"
        " and suite in ('canonical_stock_levels', 'canonical_products') order by suite"
    )
    assert validated == [{"suite": "canonical_stock_levels", "evaluated_count": 1}]
