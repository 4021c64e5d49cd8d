"""From raw records to correction candidates, through a real dbt and a real PostgreSQL."""

import random
import threading
from dataclasses import replace
from datetime import datetime

import pytest
from dbt.adapters.base.impl import BaseAdapter
from dbt.adapters.cache import RelationsCache
from tests.built_warehouse import fresh_facts
from tests.transform.order_money import priced
from tests.transform.transform_facts import (
    Fact,
    Facts,
    Line,
    at,
    kill_build_after,
    listing_id,
    netsuite_item,
    netsuite_level,
    netsuite_movement,
    netsuite_order,
    shipbob_level,
    shipbob_product,
    shopify_listing,
    shopify_order,
    shopify_variant,
)

from trueup.configuration.model import TenantConfiguration
from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.errors import Permanent
from trueup.transform.build import BuildReport
from trueup.warehouse.connection import connect


@pytest.fixture
def shop(facts: Facts) -> Facts:
    """A warehouse with one product, on sale in the main store."""
    facts.land([netsuite_item("1001", "HV-00001"), shopify_variant("1", "HV-00001")])
    return facts


def order_with_money(name: str, when: datetime) -> Fact:
    return priced(shopify_order(name, [Line("1", 1)], when, ordered_at=at(10)), random.Random(name))[0]


def test_a_changed_level_ends_as_a_candidate(shop: Facts) -> None:
    """The line, end to end: the ERP says 40, the store shows 30, the buffer keeps one back."""
    shop.land([netsuite_level("1001", 40, at(0)), shopify_listing("1", 30, at(0))])
    report = shop.build()
    assert report.status == "succeeded"
    candidate = shop.row("select * from outbox.stock_changes")
    assert candidate["record_ref"] == listing_id("1")
    assert (candidate["target_system"], candidate["field"], candidate["subject_key"]) == (
        "shopify_main",
        "available",
        "HV-00001",
    )
    assert (candidate["expected"], candidate["desired"]) == (30, 39)


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


def test_only_what_a_changed_stream_reaches_is_run(shop: Facts) -> None:
    """A count in the warehouse makes nobody read orders, products or listings again.

    What stands wrong is looked at in any case: what became of our own changes no stream tells.
    """
    shop.land([netsuite_level("1001", 40, at(0)), shopify_listing("1", 30, at(0))])
    shop.build()
    shop.land([netsuite_level("1001", 41, at(10))])
    first = shop.build()
    assert _models_of(shop, first) == {
        "int_source_stock",
        "stock_levels",
        "reservations",
        "ats_positions",
        "stock_differences",
        "order_differences",
    }
    shop.land([shopify_listing("1", 31, at(20))])
    assert _models_of(shop, shop.build()) == {
        "int_listings",
        "ats_positions",
        "stock_differences",
        "order_differences",
    }
    assert shop.row("select expected, desired from outbox.stock_changes") == {"expected": 31, "desired": 40}


def test_what_a_build_that_died_took_in_is_run_by_the_next(shop: Facts) -> None:
    """The next one has a listing of its own and the level of the one that died."""
    shop.land([netsuite_level("1001", 40, at(0)), shopify_listing("1", 30, at(0))])
    shop.build()
    shop.land([netsuite_level("1001", 21, at(10))])
    kill_build_after(shop, "int_source_stock")
    shop.land([shopify_listing("1", 31, at(20))])
    assert {"int_source_stock", "int_listings", "stock_levels"} <= _models_of(shop, shop.build())
    assert shop.row("select expected, desired from outbox.stock_changes") == {"expected": 31, "desired": 20}


def test_a_process_parses_the_project_once(shop: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading what was parsed before costs more than a small build, and reading the project much more."""
    shop.land([netsuite_level("1001", 40, at(0))])
    shop.build()

    def parse(*_: object, **__: object) -> None:
        pytest.fail("the project was read again")

    monkeypatch.setattr("dbt.cli.requires.parse_manifest", parse)
    shop.land([netsuite_level("1001", 41, at(10))])
    assert shop.build().status == "succeeded"


def test_a_schema_is_listed_whole_before_a_model_hears_of_it(shop: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four threads ask at once; one that heard of half a list would take its model for new, in this place or that."""
    add, is_cached = RelationsCache.add, BaseAdapter._schema_is_cached
    first, has_one, has_been_asked = threading.Lock(), threading.Event(), threading.Event()
    known: set[tuple[str, int]] = set()

    def added(cache: RelationsCache, relation: object) -> None:
        add(cache, relation)
        if not has_one.is_set():
            has_one.set()
            has_been_asked.wait(2)

    def asked(adapter: BaseAdapter, database: str | None, schema: str) -> bool:
        if not first.acquire(blocking=False):
            has_one.wait(10)
        answer: bool = is_cached(adapter, database, schema)
        if has_one.is_set():
            has_been_asked.set()
        if answer:
            known.add((schema, len(adapter.cache.get_relations(database, schema))))
        return answer

    shop.land([netsuite_level("1001", 40, at(0)), shopify_listing("1", 30, at(0))])
    shop.build()
    monkeypatch.setattr(RelationsCache, "add", added)
    monkeypatch.setattr(BaseAdapter, "_schema_is_cached", asked)
    shop.land([netsuite_level("1001", 50, at(10)), shopify_listing("1", 20, at(10))])
    assert shop.build().status == "succeeded"
    assert len(known) == len(dict(known)) > 1
    assert shop.row("select expected, desired from outbox.stock_changes") == {"expected": 20, "desired": 49}


def _models_of(shop: Facts, report: BuildReport) -> set[str]:
    ran = shop.rows(
        "select split_part(node_id, '.', 3) as model from audit.dbt_runs where status = 'success' and invocation_id = ("
        "select invocation_id from audit.dbt_runs order by started_at desc nulls last limit 1)"
    )
    assert len(ran) == report.model_count
    return {str(row["model"]) for row in ran}


def test_what_others_touch_meanwhile_takes_no_row_away(shop: Facts) -> None:
    """A model selects and writes by the keys of one moment: another thread's model may touch keys in between."""
    shop.land([order_with_money("#1", at(10)), order_with_money("#2", at(10))])
    shop.build()
    shop.land([order_with_money("#1", at(20))])
    with connect(shop.details, None) as holder:
        # It can select, and has to wait before it writes.
        holder.execute("lock table staging.int_order_documents in exclusive mode")
        building = threading.Thread(target=shop.build)
        building.start()
        waiting = "select from pg_locks where relation = 'staging.int_order_documents'::regclass and not granted"
        while not shop.rows(waiting):
            assert building.is_alive(), "the build did not wait for the table"
        shop.execute(
            "insert into staging.touched_keys (build_id, kind, key)"
            " select max(build_id), 'order_record', 'shopify_main|gid://shopify/Order/2' from audit.builds"
        )
    building.join()
    assert shop.row("select count(*) from staging.int_order_documents")["count"] == 2


def test_rows_whose_content_is_the_same_keep_their_build(facts: Facts) -> None:
    """Gates look at what a build wrote: a row that is merely computed again must not be looked at again."""
    for number in (1, 2):
        facts.land(
            [
                netsuite_item(str(1000 + number), f"HV-0000{number}"),
                netsuite_level(str(1000 + number), 10, at(0)),
            ]
        )
    first = facts.build().build_id
    facts.land([netsuite_level("1001", 12, at(100))])
    second = facts.build().build_id
    builds = "select sku, build_id from canonical.stock_levels order by sku"
    assert [row["build_id"] for row in facts.rows(builds)] == [second, first]
    facts.build(is_full_refresh=True)
    assert [row["build_id"] for row in facts.rows(builds)] == [second, first]


def test_a_build_that_fails_names_the_model_and_is_made_good_by_the_next(facts: Facts) -> None:
    """The table takes no 11; the same records are taken in again once it does. No record is set aside for it."""
    facts.land([netsuite_item("1001", "HV-00001"), netsuite_level("1001", 10, at(0))])
    facts.build()
    facts.execute("alter table staging.int_source_stock add constraint no_eleven check (on_hand_quantity <> 11)")
    facts.land([netsuite_level("1001", 11, at(50))])
    with pytest.raises(
        Permanent, match=r"int_source_stock.*models/intermediate/inventory/int_source_stock\.sql"
    ) as failure:
        facts.build()
    assert "1001|1" not in str(failure.value)
    assert facts.rows("select * from staging.set_aside") == []
    last = "select status, error from audit.builds order by build_id desc limit 1"
    assert facts.row(last)["status"] == "failed"
    statuses = facts.rows("select distinct status from audit.dbt_runs where node_id like '%int_source_stock'")
    assert {row["status"] for row in statuses} == {"success", "error"}
    facts.execute("alter table staging.int_source_stock drop constraint no_eleven")
    assert facts.build().status == "succeeded"
    assert facts.row("select on_hand_quantity from canonical.stock_levels")["on_hand_quantity"] == 11


def test_a_time_without_a_zone_is_utc_whatever_the_servers_zone(shop: Facts) -> None:
    """Contracts let it pass; read in the server's zone it would be another time on every server."""
    shop.execute(f"alter database {shop.details.schema} set timezone = 'America/New_York'")
    order = shopify_order("#1", [Line("1", 1)], at(0))
    spellings = {"#1": "2026-06-01T12:00:00", "#2": "2026-06-01T12:00:00Z", "#3": "2026-06-01T14:00:00.5+02:00"}
    shop.land(
        replace(
            order, source_key=name, payload={**(order.payload or {}), "id": name, "name": name, "createdAt": reported}
        )
        for name, reported in spellings.items()
    )
    shop.build()
    reported = shop.rows("select ordered_at from canonical.reservations order by order_name")
    assert [row["ordered_at"] for row in reported] == [at(0), at(0), at(0.5)]


def test_sums_of_what_sources_may_say_are_no_failure(shop: Facts) -> None:
    """A thousand million at each of two places, with as much on its way: three thousand million are no integer."""
    shop.land(
        [
            netsuite_level("1001", 1_000_000_000, at(0)),
            netsuite_movement(1, "1001", 1_000_000_000, at(600)),
            shipbob_product(1, "HV-00001"),
            shipbob_level(1, 1_000_000_000, at(0)),
            shopify_listing("1", 1_000_000_000, at(0)),
            netsuite_order(1, "1001", 1_000_000_000, at(0), transaction="1"),
            netsuite_order(2, "1001", 1_000_000_000, at(0), transaction="2"),
            netsuite_order(3, "1001", 1_000_000_000, at(0), transaction="2"),
        ]
    )
    shop.build()
    position = shop.row("select * from marts.ats_positions where channel = 'shopify_main'")
    assert (position["on_hand_quantity"], position["reserved_quantity"]) == (3_000_000_000, 3_000_000_000)
    assert position["shortfall_quantity"] == 1_000_000_000
    shop.land([netsuite_order(key, "1001", 0, at(1), transaction=str(min(key, 2))) for key in (1, 2, 3)])
    shop.build()
    candidate = shop.row("select expected, desired from outbox.stock_changes")
    assert tuple(candidate.values()) == (1_000_000_000, 2_999_999_999)


def test_a_new_rule_recomputes_every_position(shop: Facts) -> None:
    """No fact changed, yet every number may have."""
    shop.land([netsuite_level("1001", 40, at(0))])
    shop.build()
    content = shop.configuration.model_dump(mode="json")
    content["channels"]["shopify_main"]["rules"] = [{"buffer": 10}]
    shop.declare(TenantConfiguration.model_validate(content))
    assert shop.build().status == "succeeded"
    row = shop.row("select ats_quantity, rule_ids from marts.ats_positions where channel = 'shopify_main'")
    assert (row["ats_quantity"], row["rule_ids"]["buffer"]) == (30, "shopify_main.0")


def test_an_alias_moves_the_stock_of_an_item_to_its_product(facts: Facts) -> None:
    """A person settles what no rule could, and the exception closes itself."""
    facts.land(
        [
            netsuite_item("1001", "HV-00001", gtin="4006381333931"),
            netsuite_item("1002", "HV-00002", gtin="4006381333948"),
            netsuite_item("1003", "HV-00003", gtin="4006381333948"),
            shipbob_product(1, " hv-00001 "),
            shipbob_product(2, "WB-77", gtin="04006381333931"),
            shipbob_product(3, "WB-88", gtin="4006381333948"),
            shipbob_product(4, "WB-99"),
            shipbob_level(3, 5, at(0)),
        ]
    )
    facts.build()
    aliases = "select source_sku, sku, match_rule from canonical.sku_aliases where system_id = 'shipbob' order by 1"
    assert [tuple(row.values()) for row in facts.rows(aliases)] == [
        ("WB-77", None, "ambiguous"),  # the barcode is HV-00001's, whom a better rule gave to another item
        ("WB-88", None, "ambiguous"),
        ("WB-99", None, "unmatched"),
        ("hv-00001", "HV-00001", "exact_sku"),
    ]
    exceptions = "select kind, subject from exceptions.queue where status = 'open' order by 2"
    assert [tuple(row.values()) for row in facts.rows(exceptions)] == [
        ("ambiguous_sku", "2"),
        ("ambiguous_sku", "3"),
        ("unmatched_sku", "4"),
    ]
    assert facts.rows("select * from canonical.stock_levels") == []
    content = facts.configuration.model_dump(mode="json")
    content["sku_aliases"] = {"shipbob": {"WB-88": "HV-00003"}}
    facts.declare(TenantConfiguration.model_validate(content))
    facts.build()
    level = facts.row("select sku, location_id, on_hand_quantity from canonical.stock_levels")
    assert tuple(level.values()) == ("HV-00003", "WH-WEST", 5)
    assert [row["subject"] for row in facts.rows(exceptions)] == ["2", "4"]


def test_a_code_that_is_no_product_is_classified_or_an_exception(shop: Facts) -> None:
    """Postage is declared; 'WRAP' is not, until the tenant says what it is."""
    shop.land(
        [
            shopify_order(
                "#1",
                [Line("1", 1), Line(None, 1, sku="POST"), Line(None, 2, sku="WRAP"), Line(None, 1, sku="hv-00001")],
                at(10),
            )
        ]
    )
    shop.build()
    held = shop.row("select sku, quantity from canonical.reservations")
    assert tuple(held.values()) == ("HV-00001", 2)
    found = "select kind, subject from exceptions.queue where status = 'open'"
    assert [tuple(row.values()) for row in shop.rows(found)] == [("unclassified_code", "wrap")]
    content = shop.configuration.model_dump(mode="json")
    content["non_stock_codes"].append({"pattern": "WRAP", "classification": "other"})
    shop.declare(TenantConfiguration.model_validate(content))
    shop.build()
    assert shop.rows(found) == []


@pytest.mark.parametrize(
    "model",
    ["int_item_skus", *(pytest.param(name, marks=pytest.mark.nightly) for name in ("stock_levels", "ats_positions"))],
)
def test_a_build_killed_after_any_model_is_repeated_and_gives_the_same(
    facts: Facts, postgres: EmbeddedPostgres, built_template: str, model: str
) -> None:
    """The process is killed as soon as the model is committed; the next build starts from what it left."""
    start = [
        netsuite_item("1001", "HV-00001"),
        shopify_variant("1", "HV-00001"),
        netsuite_level("1001", 10, at(0)),
        shopify_listing("1", 9, at(0)),
    ]
    then = [
        # renamed: what was HV-00001's must go, and nothing but the changed keys says so
        netsuite_item("1001", "HV-00002", when=at(50)),
        shopify_variant("1", "HV-00002", when=at(50)),
        netsuite_level("1001", 20, at(100)),
        shopify_order("#1", [Line("1", 2)], at(100)),
    ]
    queries = (
        "select sku, location_id, on_hand_quantity from canonical.stock_levels order by 1, 2",
        "select sku, channel, ats_quantity from marts.ats_positions order by 1, 2",
        "select order_name, sku, quantity, status from canonical.reservations order by 1, 2",
        "select subject_key, expected, desired from outbox.stock_changes order by 1",
    )
    with fresh_facts(postgres, built_template) as undisturbed:
        for records in (start, then):
            undisturbed.land(records)
            undisturbed.build()
        expected = [undisturbed.rows(query) for query in queries]
    facts.land(start)
    facts.build()
    facts.land(then)
    kill_build_after(facts, model)
    assert facts.row("select status from audit.builds order by build_id desc limit 1")["status"] == "running"
    facts.build()
    assert [facts.rows(query) for query in queries] == expected
    newest = facts.row("select max(build_id) as build_id from audit.builds where status = 'succeeded'")["build_id"]
    written = facts.row("select max(build_id) as build_id from marts.ats_positions")["build_id"]
    # What the dead build wrote nobody has judged: it must count as this one's.
    assert written == newest
