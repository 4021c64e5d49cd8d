"""A record that no build can read costs itself: every other row is as if it had never landed.

The records are put into raw as they are, past the contracts: what a contract lets through today may still break a cast,
and what it refuses today may have landed before.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.built_warehouse import fresh_facts
from tests.connectors.test_connectors_tryton_vendure_staging import (
    CUSTOMER,
    SHELF,
    TENANTS,
    level,
    line,
    listing,
    move,
    order,
    product,
    sale,
)
from tests.transform.transform_facts import (
    Fact,
    Facts,
    Line,
    at,
    demo_tenant,
    kill_build_after,
    netsuite_item,
    netsuite_level,
    netsuite_movement,
    netsuite_order,
    shipbob_event,
    shipbob_level,
    shipbob_order,
    shipbob_product,
    shopify_listing,
    shopify_order,
    shopify_variant,
    square_adjustment,
    square_count,
    square_item,
    square_order,
)

from trueup.configuration.model import TenantConfiguration
from trueup.configuration.tenants import load_tenant
from trueup.dev.postgres import EmbeddedPostgres

QUERIES = (
    "select sku, title, category from canonical.products order by 1",
    "select system_id, source_item_id, sku, match_rule from canonical.sku_aliases order by 1, 2",
    "select sku, location_id, on_hand_quantity, movement_quantity, as_of from canonical.stock_levels order by 1, 2",
    "select movement_id, sku, delta_quantity from canonical.stock_movements order by 1",
    "select reservation_id, quantity, status, ordered_at from canonical.reservations order by 1",
    "select sku, channel, shown_quantity, is_listed from canonical.channel_listings order by 1, 2",
    "select sku, channel, ats_quantity, target_quantity, pool_quantity from marts.ats_positions order by 1, 2",
    "select subject_key, target_system, shown, desired from reconciliation.stock_differences order by 1, 2",
)
OPEN = (
    "select system_id, stream, subject, reason, payload from exceptions.queue"
    " where kind = 'set_aside' and status = 'open' order by 1, 2, 3"
)


def six_connectors() -> TenantConfiguration:
    """The demo tenant with a second ERP and a shop of its own, so that every connector's models have records."""
    content = demo_tenant().model_dump(mode="json")
    peers = load_tenant(TENANTS, "peers").model_dump(mode="json")
    content["systems"] |= peers["systems"]
    content["locations"] |= {f"PEERS-{name}": location for name, location in peers["locations"].items()}
    channel = peers["channels"]["vendure"]
    content["channels"]["vendure"] = channel | {"served_by": [f"PEERS-{name}" for name in channel["served_by"]]}
    return TenantConfiguration.model_validate(content)


def good() -> list[Fact]:
    """A product of each system's own, with stock, movements, orders and listings."""
    return [
        netsuite_item("1001", "HV-00001"),
        netsuite_level("1001", 40, at(0)),
        netsuite_movement(1, "1001", -2, at(100)),
        netsuite_order(7001, "1001", 3, at(0)),
        shipbob_product(1, "HV-00001"),
        shipbob_level(1, 30, at(0)),
        shipbob_event(11, 1, -1, at(100)),
        shipbob_order(501, "SB-1", [(1, 2, "Processing")], at(0), channel=None),
        shopify_variant("1", "HV-00001"),
        shopify_listing("1", 12, at(0)),
        shopify_order("#1001", [Line("1", 4)], at(0)),
        square_item("1", "HV-00001"),
        square_count("1", 9, at(0)),
        square_adjustment("ADJ1", "1", -1, at(100)),
        square_order("1", [Line("1", 2)], at(0)),
        *product(1),
        level(1, 100),
        move(1, 1, 5, SHELF, CUSTOMER),
        sale(1, "processing", line(1, 1, 10)),
        order(1, 1, 2, 2),
        *listing(1, (90, 3)),
    ]


@dataclass(frozen=True, slots=True)
class Damage:
    """A record of which one field is something else. `key` None: the damaged one is a newer version of it."""

    fact: Fact
    path: tuple[str | int, ...]
    value: Any
    key: str | None = None

    def record(self) -> Fact:
        """The damaged record; observed later than the good one, so that it would count."""
        payload = _set(self.fact.payload, self.path, self.value)
        return replace(self.fact, payload=payload, source_key=self.key or self.fact.source_key, occurred_at=at(50))


def _set(content: Any, path: tuple[str | int, ...], value: Any) -> Any:  # noqa: ANN401 - JSON
    if not path:
        return value
    head, *rest = path
    if isinstance(content, list):
        return [_set(each, tuple(rest), value) if index == head else each for index, each in enumerate(content)]
    assert isinstance(content, Mapping)
    assert isinstance(head, str)
    return {**content, head: _set(content.get(head), tuple(rest), value)}


NUMBERS: tuple[Any, ...] = ("77777777777", "ask", "", "1,250", "NaN", "1E+400", "Infinity", 3_100_000_000, {}, [])
OVERLONG = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(3000))


def damages() -> list[Damage]:
    """Each kind of field of each staging model, damaged in its ways; each of a key of its own."""
    found: list[Damage] = []
    numbers: list[tuple[Fact, tuple[str | int, ...]]] = [
        (netsuite_level("1001", 1, at(0)), ("quantityonhand",)),
        (netsuite_movement(1, "1001", -9, at(0)), ("quantity",)),
        (netsuite_order(7001, "1001", 9, at(0)), ("quantity",)),
        (shipbob_level(1, 1, at(0)), ("locations", 0, "on_hand_quantity")),
        (shipbob_event(11, 1, -9, at(0)), ("decrement", "quantity_change")),
        (shipbob_order(501, "SB-1", [(1, 9, "Processing")], at(0), channel=None),
         ("shipments", 0, "products", 0, "inventory_items", 0, "quantity")),
        (shopify_listing("1", 1, at(0)), ("quantities", 0, "quantity")),
        (shopify_order("#1001", [Line("1", 9)], at(0)), ("lineItems", "nodes", 0, "quantity")),
        (square_count("1", 1, at(0)), ("quantity",)),
        (square_adjustment("ADJ1", "1", -9, at(0)), ("adjustment", "quantity")),
        (square_order("1", [Line("1", 9)], at(0)), ("line_items", 0, "quantity")),
        (level(1, 1), ("quantity",)),
        (move(1, 1, 9, SHELF, CUSTOMER), ("internal_quantity",)),
        (sale(1, "processing", line(1, 1, 9)), ("lines", 0, "quantity")),
        (listing(1, (1, 0))[0], ("stockLevels", 0, "stockOnHand")),
        (order(1, 1, 9, 9), ("lines", 0, "quantity")),
    ]  # fmt: skip
    for fact, path in numbers:
        for index, value in enumerate(NUMBERS):
            found.append(Damage(fact, path, value, None if index == 0 else f"{index}:{fact.source_key}"))
    found += [
        Damage(netsuite_order(7001, "1001", 9, at(0)), ("createddate",), "13/45/2026", "7001:date"),
        Damage(netsuite_order(7001, "1001", 9, at(0)), ("createddate",), "infinity", "7001:infinity"),
        Damage(netsuite_movement(1, "1001", -9, at(0)), ("uniquekey",), "1x", "1:sequence"),
        Damage(netsuite_item("1001", "HV-00001"), ("itemid",), OVERLONG),
        Damage(shipbob_product(1, "HV-00001"), ("variants", 0, "is_digital"), "perhaps"),
        Damage(shipbob_event(11, 1, -9, at(0)), ("inventory_audit_event_id",), "eleven", "11:sequence"),
        Damage(shopify_variant("1", "HV-00001"), ("inventoryItem", "tracked"), "perhaps"),
        Damage(shopify_order("#1001", [Line("1", 9)], at(0)), ("lineItems", "nodes"), "none", "order:nodes"),
        Damage(shopify_order("#1001", [Line("1", 9)], at(0)), ("createdAt",), "yesterday noon", "order:date"),
        Damage(square_item("1", "HV-00001"), ("is_deleted",), "perhaps"),
        Damage(square_order("1", [Line("1", 9), Line("1", 2)], at(0)), ("line_items", 1, "uid"), "LINE1", "SQ:twice"),
        Damage(product(1)[0], ("active",), "perhaps"),
        Damage(sale(1, "processing", line(1, 1, 9)), ("create_date", "month"), 13, "1:date"),
        Damage(sale(1, "processing", line(1, 1, 9)), ("lines", 0, "unit", "factor"), "NaN", "1:factor"),
        Damage(sale(1, "processing", line(1, 1, 9)), ("lines",), {"id": 1}, "1:lines"),
        Damage(product(1)[1], ("enabled",), "perhaps"),
        Damage(listing(1, (1, 0))[0], ("stockLevels",), 7, "1|1:levels"),
    ]
    # An event's id is landed once: its damaged version has an id of its own.
    return [
        replace(each, key=f"{each.fact.source_key}:0")
        if each.key is None and each.fact.stream == "stock_movements"
        else each
        for each in found
    ]


@dataclass(slots=True)
class Twins:
    """Two warehouses of the same records, one of which was sent the damaged ones as well."""

    damaged: Facts
    undisturbed: Facts

    def land(self, facts: list[Fact]) -> None:
        """Append the same records to both."""
        self.damaged.land(facts)
        self.undisturbed.land(facts)

    def assert_alike(self) -> None:
        """Every row of every canonical and mart table is the same."""
        for query in QUERIES:
            assert self.damaged.rows(query) == self.undisturbed.rows(query), query


@pytest.fixture(scope="module")
def twins(postgres: EmbeddedPostgres) -> Iterator[Twins]:
    names = [f"{name}_{os.getpid()}" for name in ("set_aside", "undisturbed")]
    postgres.create_database(names[0], template="template_migrated")
    first = Facts(postgres.details(names[0]), six_connectors())
    first.land(good())
    first.build()
    postgres.create_database(names[1], template=names[0])
    yield Twins(first, Facts(postgres.details(names[1]), six_connectors()))
    for name in names:
        postgres.drop_database(name)


def test_what_cannot_be_read_costs_itself_alone(twins: Twins) -> None:
    """Every field of every staging model of all six connectors, at once, amid records that can be read.

    Incremental, then from raw, then with newer versions; a build is never red, and what it makes is what it makes
    without the damaged records. Each of them is in the queue with its payload, and leaves it when it is corrected.
    """
    broken = [damage.record() for damage in damages()]
    expected = sorted((fact.system_id, fact.stream, fact.source_key) for fact in broken)
    news = [
        netsuite_item("1002", "HV-00002"),
        netsuite_level("1002", 44, at(60)),
        shopify_order("#1002", [Line("1", 1)], at(60)),
        *product(2),
        level(2, 7),
    ]
    twins.damaged.land(broken)
    twins.land(news)
    assert twins.damaged.build().status == "succeeded"
    twins.undisturbed.build()
    twins.assert_alike()
    queued = twins.damaged.rows(OPEN)
    assert sorted((row["system_id"], row["stream"], row["subject"]) for row in queued) == expected
    payloads = {(fact.system_id, fact.stream, fact.source_key): fact.payload for fact in broken}
    for row in queued:
        assert row["payload"] == payloads[row["system_id"], row["stream"], row["subject"]]
        assert "cannot be read" in row["reason"]
    assert twins.damaged.build(is_full_refresh=True).status == "succeeded"
    twins.assert_alike()
    assert len(twins.damaged.rows(OPEN)) == len(expected)
    corrected = [replace(fact, occurred_at=at(200)) for fact in good() if fact.stream != "stock_movements"]
    twins.land(corrected)
    report = twins.damaged.build()
    twins.undisturbed.build()
    twins.assert_alike()
    mended = {(fact.system_id, fact.stream, fact.source_key) for fact in corrected} & set(expected)
    assert mended
    assert report.closed_exception_count == len(mended)
    left = twins.damaged.rows(OPEN)
    assert {(row["system_id"], row["stream"], row["subject"]) for row in left} == set(expected) - mended


def test_a_reason_names_the_field_and_not_its_value(facts: Facts) -> None:
    """A value is somebody's payload; the queue holds it for those who may see it."""
    facts.land([netsuite_item("1001", "HV-00001"), netsuite_level("1001", "ask", at(0))])
    facts.build()
    row = facts.row(OPEN)
    assert "on_hand_quantity: invalid input syntax for type numeric" in row["reason"]
    assert "ask" not in row["reason"]
    assert row["payload"]["quantityonhand"] == "ask"


def test_a_build_killed_between_setting_aside_and_building_again_is_made_good(
    facts: Facts, postgres: EmbeddedPostgres, built_template: str
) -> None:
    """The views still name the record then; the next build finds it again and opens no second exception."""
    start = [netsuite_item("1001", "HV-00001"), netsuite_level("1001", 10, at(0)), shopify_variant("1", "HV-00001")]
    then = [netsuite_level("1001", "many", at(50)), shopify_listing("1", 3, at(50))]
    facts.land(start)
    facts.build()
    facts.land(then)
    kill_build_after(facts, "stg_netsuite__products")
    assert facts.row("select count(*) as count from staging.set_aside")["count"] == 1
    facts.build()
    assert facts.row("select on_hand_quantity from canonical.stock_levels")["on_hand_quantity"] == 10
    assert [row["subject"] for row in facts.rows(OPEN)] == ["1001|1"]
    with fresh_facts(postgres, built_template) as undisturbed:
        undisturbed.land([*start, then[1]])
        undisturbed.build()
        for query in QUERIES:
            assert facts.rows(query) == undisturbed.rows(query), query


def test_a_sweep_does_not_confirm_the_version_before_one_that_cannot_be_read(facts: Facts) -> None:
    """The sweep saw the unreadable figure: that 10 still lay there then, nobody said, so the sale since counts."""
    facts.land([netsuite_item("1001", "HV-00001"), netsuite_level("1001", 10, at(0))])
    facts.build()
    facts.land([netsuite_level("1001", "many", at(600)), netsuite_movement(1, "1001", -3, at(300), kind="ItemShip")])
    facts.sweep("netsuite", "stock_levels", at(900))
    facts.build()
    level_now = "select on_hand_quantity, as_of from canonical.stock_levels"
    assert facts.row(level_now) == {"on_hand_quantity": 7, "as_of": at(0)}
    facts.build(is_full_refresh=True)
    assert facts.row(level_now) == {"on_hand_quantity": 7, "as_of": at(0)}


def test_a_shipment_is_not_released_by_the_sweep_of_a_level_that_cannot_be_read(facts: Facts) -> None:
    """The level is of before the shipment: 10 with 4 promised leave 6, whatever the ERP's order says has left."""
    facts.land(
        [
            netsuite_item("1001", "HV-00001"),
            netsuite_level("1001", 10, at(0)),
            netsuite_order(7001, "1001", 4, at(0)),
        ]
    )
    facts.build()
    facts.land([netsuite_level("1001", "many", at(600)), netsuite_order(7001, "1001", 4, at(300), shipped=4)])
    facts.sweep("netsuite", "stock_levels", at(900))
    for is_full_refresh in (False, True):
        facts.build(is_full_refresh=is_full_refresh)
        position = facts.row("select * from marts.ats_positions where channel = 'shopify_outlet'")
        assert (position["on_hand_quantity"], position["reserved_quantity"]) == (10, 4)
    facts.land([netsuite_level("1001", 6, at(1200))])
    facts.build()
    position = facts.row("select * from marts.ats_positions where channel = 'shopify_outlet'")
    assert (position["on_hand_quantity"], position["reserved_quantity"]) == (6, 0)


def test_other_models_try_again_what_these_could_not_read(facts: Facts) -> None:
    """Another staging model takes everything back; what can be read then leaves the queue by itself."""
    facts.land([netsuite_item("1001", "HV-00001"), netsuite_level("1001", 5, at(0)), netsuite_level("1001", 7, at(9))])
    facts.land([netsuite_level("1002", "many", at(0))])
    # As if the models of before could not read a 7.
    facts.execute(
        "insert into staging.set_aside (system_id, stream, record_id, source_key, received_at, reason, build_id)"
        " select 'netsuite', 'stock_levels', record_id, source_key, received_at, 'seven', 1"
        " from raw.netsuite__stock_levels where payload ->> 'quantityonhand' = '7'"
    )
    facts.execute(
        "insert into exceptions.queue (kind, system_id, stream, subject, reason, remedy)"
        " values ('set_aside', 'netsuite', 'stock_levels', '1001|1', 'seven', 'wait')"
    )
    facts.build()
    assert [row["subject"] for row in facts.rows(OPEN)] == ["1001|1", "1002|1"]
    facts.execute(
        "update staging.build_state set deployed_hash = 'another',"
        ' model_versions = model_versions || \'{"stg_netsuite__stock_levels": "another"}\''
    )
    facts.build()
    assert [row["subject"] for row in facts.rows(OPEN)] == ["1002|1"]
    assert facts.row("select source_key from staging.set_aside")["source_key"] == "1002|1"
    assert facts.row("select on_hand_quantity from canonical.stock_levels")["on_hand_quantity"] == 7
