"""From raw records to correction candidates, through a real dbt and a real PostgreSQL."""

import pytest
from tests.integration.transform_facts import (
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


@pytest.fixture
def shop(facts: Facts) -> Facts:
    """A warehouse with one product, on sale in the main store."""
    facts.land([netsuite_item("1001", "HV-00001"), shopify_variant("1", "HV-00001")])
    return facts


def test_a_changed_level_ends_as_a_candidate(shop: Facts) -> None:
    """The line, end to end: the ERP says 40, the store shows 30, the buffer keeps one back."""
    shop.land([netsuite_level("1001", 40, at(0)), shopify_listing("1", 30, at(0))])
    report = shop.build()
    assert report.status == "succeeded"
    candidate = shop.row("select * from outbox.correction_candidates")
    assert candidate["record_id"] == listing_id("1")
    assert (candidate["channel"], candidate["field"], candidate["sku"]) == ("shopify_main", "available", "HV-00001")
    assert (candidate["expected"], candidate["target"]) == (30, 39)


def test_an_order_takes_its_units_off_every_channel_it_may_come_from(shop: Facts) -> None:
    """Nobody has routed it yet: it may leave any place that serves its channel."""
    shop.land([netsuite_level("1001", 40, at(0)), shopify_listing("1", 39, at(0))])
    shop.build()
    shop.land([shopify_order("#1001", [Line("1", 3)], at(10))])
    shop.build()
    positions = shop.rows(
        "select channel, unassigned_reserved_quantity, ats_quantity from marts.ats_positions order by 1"
    )
    assert [(row["channel"], row["unassigned_reserved_quantity"]) for row in positions] == [
        ("shopify_main", 3),
        ("shopify_outlet", 3),
        ("square_online", 0),
    ]


def test_nothing_new_runs_no_dbt(shop: Facts) -> None:
    """A clock that rings every minute must cost next to nothing."""
    shop.land([netsuite_level("1001", 40, at(0))])
    assert shop.build().status == "succeeded"
    again = shop.build()
    assert (again.status, again.build_id, again.model_count) == ("unchanged", None, 0)
