"""Every difference carries one cause, with the evidence for it."""

from datetime import UTC, datetime
from typing import Any

from tests.stock_changes import PUSHABLE
from tests.transform.transform_facts import (
    Facts,
    Line,
    at,
    listing_id,
    netsuite_item,
    netsuite_level,
    shopify_listing,
    shopify_order,
    shopify_variant,
)

ON_HAND, SHOWN_RIGHT = 50, 49  # the main store keeps one back


def _sell(facts: Facts, numbers: range) -> None:
    """Products of 50 units, shown as they should be, and a build behind them."""
    for number in numbers:
        sku = f"HV-{number:05d}"
        facts.land(
            [
                netsuite_item(str(1000 + number), sku),
                shopify_variant(str(number), sku),
                netsuite_level(str(1000 + number), ON_HAND, at(0)),
                shopify_listing(str(number), SHOWN_RIGHT, at(0)),
            ]
        )
    _read_listings(facts)
    facts.build()


def _read_listings(facts: Facts) -> None:
    """A complete read of the store's listings begins now."""
    facts.position("shopify_main", "listings", last_read_started_at=datetime.now(UTC))


def _correct(facts: Facts, number: int, status: str, target: int, **columns: Any) -> None:  # noqa: ANN401
    """A correction in the outbox, decided from all that had landed by then; its receipt where `outcome` is given."""
    key = columns.pop("key", f"key-{number}")
    facts_at = columns.pop("facts_at", "clock_timestamp()")
    outcome = columns.pop("outcome", None)
    proposed_at = columns.pop("proposed_at", "clock_timestamp()")
    applied_at = columns.pop("applied_at", "null")
    facts.execute(
        "insert into outbox.changes (key, target_system, entity, operation, record_ref, field, subject_key, expected,"
        " desired, size, cause, priority, facts_version, correlation_id, status, run_id, attempts, facts_received_at,"
        " proposed_at, applied_at, resolved_at)"
        " values (%s, 'shopify_main', 'stock', 'set', %s, 'available', %s, '1', to_jsonb(%s::bigint), %s,"
        " 'source_delay', 1, 'v', gen_random_uuid(),"
        f" %s, 'r', 1, {facts_at}, {proposed_at}, {applied_at}, {applied_at})",
        (key, listing_id(str(number)), f"HV-{number:05d}", target, target - 1, status),
    )
    if outcome:
        facts.execute(
            "insert into outbox.receipts (key, attempt, outcome, detail, attempted_at, run_id)"
            " values (%s, 1, %s, '', clock_timestamp(), 'r')",
            (key, outcome),
        )


def _causes(facts: Facts) -> dict[str, str]:
    return {
        row["sku"]: row["cause"]
        for row in facts.rows(
            "select subject_key as sku, cause from reconciliation.stock_differences"
            " where target_system = 'shopify_main'"
        )
    }


def test_each_cause_is_named_from_its_evidence(facts: Facts) -> None:
    """One SKU a cause, all in one build."""
    _sell(facts, range(1, 16))
    assert _causes(facts) == {}
    # written earlier, and read since
    for number in (1, 7):
        _correct(facts, number, "verified", SHOWN_RIGHT, applied_at="clock_timestamp()", key=f"before-{number}")
    facts.land([netsuite_level(str(1000 + number), 45, at(100)) for number in (*range(1, 8), 14)])
    wanted = 44
    # the store shows what we pushed earlier, and the stock has moved on since
    facts_of_11 = "clock_timestamp() - interval '1 hour'"
    _correct(facts, 11, "verified", 60, applied_at="clock_timestamp()", outcome="applied", facts_at=facts_of_11)
    facts.land([shopify_listing("11", 60, at(100))])
    _read_listings(facts)
    _correct(facts, 2, "rejected", wanted, outcome="rejected")
    _correct(facts, 3, "sent", wanted, outcome="unknown")
    _correct(facts, 4, "proposed", wanted, proposed_at="clock_timestamp() - interval '2 hours'")
    _correct(facts, 5, "claimed", wanted)
    # pushed and verified, but the listing was last read before that
    _correct(facts, 6, "verified", wanted, applied_at="clock_timestamp()", outcome="applied")
    facts.execute(
        "insert into gates.quarantine (schema_name, table_name, row_key, subject_key, target_system, rule_id, reason,"
        " run_id) values ('marts', 'ats_positions', 'x', 'HV-00007', null, 'rule', 'because', 'r')"
    )
    # somebody types a number into the store
    facts.land([shopify_listing("8", 90, at(100))])
    # the store's own customers explain this one; the order is reserved, so it is no difference at all
    facts.land([shopify_listing("9", SHOWN_RIGHT - 2, at(100)), shopify_order("#9", [Line("9", 2)], at(90))])
    # an order explains part of it: the rest was typed
    facts.land([shopify_listing("10", SHOWN_RIGHT - 6, at(100)), shopify_order("#10", [Line("10", 2)], at(90))])
    facts.build()
    assert _causes(facts) == {
        "HV-00001": "source_delay",
        "HV-00002": "downstream_rejection",
        "HV-00003": "api_timeout",
        "HV-00004": "queue_backlog",
        "HV-00005": "in_flight",
        "HV-00006": "in_flight",
        "HV-00007": "transformation_error",
        "HV-00008": "edited",
        "HV-00010": "edited",
        "HV-00011": "source_delay",
        # its listing was never written by us
        "HV-00014": "not_synced_yet",
    }
    found = facts.rows("select subject_key, evidence from reconciliation.stock_differences")
    evidence = {row["subject_key"]: row["evidence"] for row in found}
    assert evidence["HV-00008"]["previous_available_quantity"] == SHOWN_RIGHT
    assert evidence["HV-00014"]["is_written"] is False
    assert evidence["HV-00001"]["written_quantity"] == SHOWN_RIGHT
    assert evidence["HV-00001"]["written_facts_received_at"] < evidence["HV-00001"]["newest_received_at"]
    assert evidence["HV-00007"]["gate_rule_id"] == "rule"


def test_only_what_may_be_pushed_is_a_candidate(facts: Facts) -> None:
    """Quarantined, stopped, or not looked at since our last push: not now."""
    _sell(facts, range(1, 5))
    facts.land([netsuite_level(str(1000 + number), 45, at(100)) for number in range(1, 5)])
    facts.execute(
        "insert into gates.quarantine (schema_name, table_name, row_key, subject_key, target_system, rule_id, reason,"
        " run_id) values ('marts', 'ats_positions', 'x', 'HV-00001', null, 'rule', 'because', 'r')"
    )
    _correct(facts, 2, "verified", 44, applied_at="clock_timestamp()", outcome="applied")
    facts.land([shopify_listing("4", 20, at(100))])
    facts.build()
    # overstated (49 for 44) before understated (20 for 44)
    assert [row["subject_key"] for row in facts.rows(PUSHABLE)] == ["HV-00003", "HV-00004"]
    facts.execute("update raw.stream_positions set last_read_started_at = clock_timestamp()")
    assert [row["subject_key"] for row in facts.rows(PUSHABLE)] == ["HV-00002", "HV-00003", "HV-00004"]
    facts.execute(
        "insert into gates.stops (target_system, suite, rule_id, reason, run_id)"
        " values ('shopify_main', 's', 'r', 'x', 'r')"
    )
    assert facts.rows(PUSHABLE) == []


def test_a_difference_that_returns_is_a_new_decision(facts: Facts) -> None:
    """The same numbers again must not be taken for the decision that was made and done with."""
    _sell(facts, range(1, 2))
    versions = []
    for moment, on_hand in ((100, 45), (200, ON_HAND), (300, 45)):
        facts.land([netsuite_level("1001", on_hand, at(moment))])
        facts.build()
        found = facts.rows("select facts_version from reconciliation.stock_differences")
        versions += [row["facts_version"] for row in found]
    assert len(versions) == len(set(versions)) == 2
    _correct(facts, 1, "conflicted", 44, applied_at="clock_timestamp()")
    facts.build()
    after = facts.row("select facts_version from reconciliation.stock_differences")["facts_version"]
    assert after not in versions
