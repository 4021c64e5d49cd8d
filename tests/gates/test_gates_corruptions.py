"""Each expectation has a corrupted table that it catches, and no other expectation of its suite does.

One that nothing but it catches cannot be left out unnoticed; one that another catches as well is idle.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.gates.gates_tables import create_tables, demo_configuration, fill_tables

from trueup.dev.postgres import EmbeddedPostgres
from trueup.domain.connections import ConnectionDetails
from trueup.gates.run import run_gates
from trueup.gates.suites import Expectation, Scope, Severity, Suite, default_folder, load_suites
from trueup.warehouse.connection import connect

_BASELINE = "insert into gates.baselines (suite, rule_id, value, run_id) values ('{}', '{}', 100000, 'before')"

# What is done to otherwise valid tables. HV-00001 is the row that is spoilt wherever one is enough.
CORRUPTIONS = {
    "int_source_stock.system_known": "update staging.int_source_stock set system_id = 'sap' where source_key = '1|1'",
    "int_source_stock.figure_in_bounds": (
        "update staging.int_source_stock set on_hand_quantity = 2000000000 where source_key = '1|1'"
    ),
    "int_source_stock.place_present": (
        "update staging.int_source_stock set source_location_id = null where source_key = '1|1'"
    ),
    "int_source_stock.not_collapsed": _BASELINE.format("staging_int_source_stock", "int_source_stock.not_collapsed"),
    "int_source_items.code_printable": (
        "update staging.int_source_items set source_sku = e'HV-1\t' where source_key = '1'"
    ),
    "int_source_items.gtin_readable": (
        "update staging.int_source_items set gtin = 'BIN 40-12', gtin_key = null where source_key = '1'"
    ),
    "int_source_items.mostly_coded": "update staging.int_source_items set source_sku = null where source_key = '1'",
    "int_order_lines.ordered_not_negative": "update staging.int_order_lines set ordered_quantity = -2",
    "int_order_lines.shipped_within_ordered": "update staging.int_order_lines set shipped_quantity = 3",
    "int_order_lines.order_named": "update staging.int_order_lines set order_name = null",
    "int_order_totals.total_explained": "update staging.int_order_totals set total_amount = 20.01",
    "int_order_totals.currency_present": "update staging.int_order_totals set currency = null",
    "int_order_totals.financial_status_known": "update staging.int_order_totals set financial_status = 'settled'",
    "int_order_totals.paid_not_negative": "update staging.int_order_totals set paid_amount = -1",
    "int_order_amounts.kind_known": "update staging.int_order_amounts set kind = 'surcharge' where kind = 'tax'",
    "int_order_amounts.currency_present": "update staging.int_order_amounts set currency = null where kind = 'tax'",
    "int_order_amounts.goods_not_negative": (
        "update staging.int_order_amounts set amount = case kind when 'goods' then -4 else 24 end where kind <> 'tax'"
    ),
    "int_order_payments.kind_known": "update staging.int_order_payments set kind = 'transfer'",
    "int_order_payments.status_known": "update staging.int_order_payments set status = 'held'",
    "int_order_payments.amount_not_negative": "update staging.int_order_payments set amount = -20",
    "int_order_payments.currency_present": "update staging.int_order_payments set currency = null",
    "int_order_events.kind_known": "update staging.int_order_events set kind = 'wrapped'",
    "int_order_events.time_present": "update staging.int_order_events set happened_at = null",
    "int_refunds.status_known": "update staging.int_refunds set refund_status = 'lost'",
    "int_refunds.refund_not_negative": "update staging.int_refunds set refund_amount = -1",
    "int_refunds.quantity_in_bounds": "update staging.int_refunds set quantity = 4006381",
    "int_refunds.currency_present": "update staging.int_refunds set currency = null",
    "int_returns.status_known": "update staging.int_returns set return_status = 'lost'",
    "int_returns.quantity_in_bounds": "update staging.int_returns set announced_quantity = 4006381",
    "int_returns.restocked_within_received": "update staging.int_returns set restocked_quantity = 3",
    "int_returns.time_present": "update staging.int_returns set announced_at = null",
    "int_credits.amount_not_negative": "update staging.int_credits set credited_amount = -1",
    "int_credits.currency_present": "update staging.int_credits set currency = null",
    "int_credits.time_present": "update staging.int_credits set credited_at = null",
    "return_differences.handled_there": (
        "update reconciliation.return_differences set owner_system_id = 'bazaar' where target_system = 'netsuite'"
    ),
    "return_differences.class_known": (
        "update reconciliation.return_differences set difference_class = 'lost' where target_system = 'netsuite'"
    ),
    "return_differences.cause_present": (
        "update reconciliation.return_differences set cause = null where target_system = 'netsuite'"
    ),
    "return_differences.cause_has_evidence": (
        "update reconciliation.return_differences set evidence = '{}' where target_system = 'shopify_main'"
    ),
    "return_differences.paid_back_once": (
        "update reconciliation.return_differences set difference_class = 'refund_differs_from_paid'"
        " where target_system = 'netsuite'"
    ),
    "return_differences.credited_once": (
        "update reconciliation.return_differences set difference_class = 'credited_twice'"
        " where target_system = 'netsuite'"
    ),
    "return_differences.counted_once": (
        "update reconciliation.return_differences set difference_class = 'restocked_twice'"
        " where target_system = 'netsuite'"
    ),
    "return_differences.cause_found": (
        "update reconciliation.return_differences set cause = 'unexplained' where target_system = 'netsuite'"
    ),
    "return_differences.corrected_in_time": (
        "update reconciliation.return_differences set age_queue_seconds = 86400 where target_system = 'netsuite'"
    ),
    "return_changes.adds_up": (
        "update outbox.return_changes set desired = jsonb_set(desired, '{document,total}', '\"11.01\"')"
        " where target_system = 'netsuite'"
    ),
    "return_changes.gives_something": (
        "update outbox.return_changes set desired = jsonb_set(desired, '{document,transactions,0,amount}', '\"0\"')"
        " where target_system = 'shopify_main'"
    ),
    "return_changes.one_a_record": (
        "update outbox.return_changes set target_system = 'netsuite', record_ref = 'trueup:shopify_main|r1'"
    ),
    "return_changes.record_present": (
        "update outbox.return_changes set record_ref = null where target_system = 'netsuite'"
    ),
    "return_changes.correlation_present": (
        "update outbox.return_changes set correlation_id = null where target_system = 'netsuite'"
    ),
    "products.sku_is_clean": "update canonical.products set sku = ' HV-00001' where sku = 'HV-00001'",
    "products.source_known": "update canonical.products set source_system_id = 'sap' where sku = 'HV-00001'",
    "products.title_present": "update canonical.products set title = '  ' where sku = 'HV-00001'",
    "products.category_present": "update canonical.products set category = null where sku = 'HV-00001'",
    "products.gtin_well_formed": "update canonical.products set gtin = '4006381' where sku = 'HV-00001'",
    "products.gtin_check_digit": "update canonical.products set gtin = '4006381333932' where sku = 'HV-00001'",
    "products.gtin_not_shared": "update canonical.products set gtin = '4006381333931'",
    "products.some_active": "update canonical.products set is_active = false",
    "products.not_collapsed": _BASELINE.format("canonical_products", "products.not_collapsed"),
    "sku_aliases.system_known": (
        "update canonical.sku_aliases set system_id = 'sap' where system_id = 'netsuite' and sku = 'HV-00001'"
    ),
    "sku_aliases.match_rule_known": (
        "update canonical.sku_aliases set match_rule = 'looks_alike' where system_id = 'netsuite' and sku = 'HV-00001'"
    ),
    "sku_aliases.never_a_guess": (
        "update canonical.sku_aliases set match_rule = 'ambiguous' where system_id = 'netsuite' and sku = 'HV-00001'"
    ),
    "sku_aliases.sku_is_product": (
        "update canonical.sku_aliases set sku = 'HV-7' where system_id = 'netsuite' and sku = 'HV-00001'"
    ),
    "sku_aliases.one_item_a_sku": "update canonical.sku_aliases set sku = 'HV-00001' where system_id = 'netsuite'",
    "sku_aliases.mostly_matched": (
        "update canonical.sku_aliases set sku = null, match_rule = 'unmatched' where system_id = 'netsuite'"
    ),
    "sku_aliases.not_collapsed": _BASELINE.format("canonical_sku_aliases", "sku_aliases.not_collapsed"),
    "locations.declared": (
        "insert into canonical.locations (location_id, location_name, system_id, source_location_id, build_id)"
        " values ('STORE-9', 'Kiosk', 'square', 'L9', 1)"
    ),
    "locations.all_there": "delete from canonical.locations where location_id = 'STORE-3'",
    "locations.name_present": "update canonical.locations set location_name = null where location_id = 'STORE-3'",
    "locations.read_in_time": (
        "update raw.stream_positions set last_read_started_at = clock_timestamp() - interval '1 day'"
        " where system_id = 'shipbob'"
    ),
    "stock_movements.kind_known": "update canonical.stock_movements set kind = 'teleport' where movement_id = 'm1'",
    "stock_movements.delta_or_count": (
        "update canonical.stock_movements set counted_quantity = 5 where movement_id = 'm1'"
    ),
    "stock_movements.delta_in_bounds": (
        "update canonical.stock_movements set delta_quantity = 4006381 where movement_id = 'm1'"
    ),
    "stock_movements.count_in_bounds": (
        "update canonical.stock_movements set counted_quantity = -1 where movement_id = 'm2'"
    ),
    "stock_movements.moves_the_right_way": (
        "update canonical.stock_movements set delta_quantity = -5 where movement_id = 'm1'"
    ),
    "stock_movements.location_known": (
        "update canonical.stock_movements set location_id = 'STORE-9' where movement_id = 'm1'"
    ),
    "stock_movements.sku_is_product": "update canonical.stock_movements set sku = 'HV-7' where movement_id = 'm1'",
    "stock_movements.time_present": "update canonical.stock_movements set occurred_at = null where movement_id = 'm1'",
    "stock_levels.on_hand_in_bounds": (
        "update canonical.stock_levels set on_hand_quantity = 4006381, base_quantity = 4006376 where sku = 'HV-00001'"
    ),
    "stock_levels.on_hand_not_negative": (
        "update canonical.stock_levels set on_hand_quantity = -4, base_quantity = -9, damaged_quantity = 0"
        " where sku = 'HV-00001'"
    ),
    "stock_levels.damaged_not_negative": (
        "update canonical.stock_levels set damaged_quantity = -1 where sku = 'HV-00001'"
    ),
    "stock_levels.quality_control_not_negative": (
        "update canonical.stock_levels set quality_control_quantity = -1 where sku = 'HV-00001'"
    ),
    "stock_levels.held_back_within_on_hand": (
        "update canonical.stock_levels set damaged_quantity = 30 where sku = 'HV-00001'"
    ),
    "stock_levels.adds_up": "update canonical.stock_levels set base_quantity = 21 where sku = 'HV-00001'",
    "stock_levels.of_record": "update canonical.stock_levels set source_system_id = 'square' where sku = 'HV-00001'",
    "stock_levels.sku_is_product": "update canonical.stock_levels set sku = 'HV-7' where sku = 'HV-00001'",
    "stock_levels.as_of_present": "update canonical.stock_levels set as_of = null where sku = 'HV-00001'",
    "stock_levels.not_collapsed": _BASELINE.format("canonical_stock_levels", "stock_levels.not_collapsed"),
    "stock_levels.total_not_collapsed": _BASELINE.format("canonical_stock_levels", "stock_levels.total_not_collapsed"),
    "reservations.status_known": "update canonical.reservations set status = 'parked' where reservation_id = 'o1'",
    "reservations.quantity_in_bounds": "update canonical.reservations set quantity = -2 where reservation_id = 'o1'",
    "reservations.channel_known": "update canonical.reservations set channel = 'bazaar' where reservation_id = 'o1'",
    "reservations.location_known": (
        "update canonical.reservations set location_id = 'STORE-9' where reservation_id = 'o1'"
    ),
    "reservations.sku_is_product": "update canonical.reservations set sku = 'HV-7' where reservation_id = 'o1'",
    "reservations.release_explained": (
        "update canonical.reservations set released_reason = null where reservation_id = 'o2'"
    ),
    "reservations.time_present": "update canonical.reservations set ordered_at = null where reservation_id = 'o1'",
    "channel_listings.channel_known": "update canonical.channel_listings set channel = 'bazaar' where sku = 'HV-00001'",
    "channel_listings.record_present": (
        "update canonical.channel_listings set channel_record_id = null where sku = 'HV-00001'"
    ),
    "channel_listings.quantity_observed": (
        "update canonical.channel_listings set shown_quantity = null where sku = 'HV-00001'"
    ),
    "channel_listings.shown_in_bounds": (
        "update canonical.channel_listings set shown_quantity = 4006381333 where sku = 'HV-00001'"
    ),
    "channel_listings.shown_not_negative": (
        "update canonical.channel_listings set shown_quantity = -3 where sku = 'HV-00001'"
    ),
    "channel_listings.allocated_not_negative": (
        "update canonical.channel_listings set allocated_quantity = -3 where sku = 'HV-00001'"
    ),
    "channel_listings.one_sku_a_record": (
        "update canonical.channel_listings set channel_record_id = 'i1|l1' where channel = 'shopify_main'"
    ),
    "channel_listings.sku_is_product": "update canonical.channel_listings set sku = 'HV-7' where sku = 'HV-00001'",
    "channel_listings.not_collapsed": _BASELINE.format("canonical_channel_listings", "channel_listings.not_collapsed"),
    "channel_listings.listed_not_collapsed": _BASELINE.format(
        "canonical_channel_listings", "channel_listings.listed_not_collapsed"
    ),
    "ats_positions.channel_known": "update marts.ats_positions set channel = 'bazaar' where sku = 'HV-00001'",
    "ats_positions.sellable_adds_up": "update marts.ats_positions set on_hand_quantity = 26 where sku = 'HV-00001'",
    "ats_positions.free_not_negative": (
        "update marts.ats_positions set free_quantity = -1, pool_quantity = -3 where channel = 'square_online'"
    ),
    "ats_positions.pool_adds_up": "update marts.ats_positions set free_quantity = 21 where sku = 'HV-00001'",
    "ats_positions.nothing_from_nothing": (
        "update marts.ats_positions set ats_quantity = 2, target_quantity = 2 where channel = 'square_online'"
    ),
    "ats_positions.formula_adds_up": (
        "update marts.ats_positions set ats_quantity = 10, target_quantity = 10 where sku = 'HV-00001'"
    ),
    "ats_positions.cap_holds": (
        "update marts.ats_positions set ats_quantity = 40, target_quantity = 40"
        " where sku = 'HV-00002' and channel = 'shopify_main'"
    ),
    "ats_positions.target_adds_up": "update marts.ats_positions set target_quantity = 12 where sku = 'HV-00001'",
    "ats_positions.target_not_negative": "update marts.ats_positions set target_quantity = -1 where sku = 'HV-00001'",
    "ats_positions.unknown_is_no_number": (
        "update marts.ats_positions set unknown_because = 'two items' where sku = 'HV-00001'"
    ),
    "ats_positions.no_negative_term": "update marts.ats_positions set reserved_quantity = -2 where sku = 'HV-00001'",
    "ats_positions.share_is_a_share": (
        "update marts.ats_positions set share = 1.5, ats_quantity = 27, target_quantity = 27 where sku = 'HV-00001'"
    ),
    "ats_positions.facts_version_present": (
        "update marts.ats_positions set facts_version = null where sku = 'HV-00001'"
    ),
    "ats_positions.rules_named": "update marts.ats_positions set rule_ids = null where sku = 'HV-00001'",
    "ats_positions.not_collapsed": _BASELINE.format("marts_ats_positions", "ats_positions.not_collapsed"),
    "ats_positions.total_not_collapsed": _BASELINE.format("marts_ats_positions", "ats_positions.total_not_collapsed"),
    "stock_differences.channel_known": (
        "update reconciliation.stock_differences set target_system = 'bazaar' where subject_key = 'HV-00001'"
    ),
    "stock_differences.adds_up": (
        "update reconciliation.stock_differences set difference_quantity = 20 where subject_key = 'HV-00001'"
    ),
    "stock_differences.is_a_difference": (
        "update reconciliation.stock_differences set shown_quantity = 9, difference_quantity = 0"
        " where subject_key = 'HV-00001'"
    ),
    "stock_differences.target_is_the_positions": (
        "update reconciliation.stock_differences set target_quantity = 8, difference_quantity = 22"
        " where subject_key = 'HV-00001'"
    ),
    "stock_differences.cause_known": (
        "update reconciliation.stock_differences set cause = 'gremlins' where subject_key = 'HV-00001'"
    ),
    "stock_differences.cause_present": (
        "update reconciliation.stock_differences set cause = null where subject_key = 'HV-00001'"
    ),
    "stock_differences.cause_has_evidence": (
        "update reconciliation.stock_differences set evidence = '{}' where subject_key = 'HV-00001'"
    ),
    "stock_differences.cause_found": (
        "update reconciliation.stock_differences set cause = 'unexplained' where subject_key = 'HV-00001'"
    ),
    "stock_differences.record_present": (
        "update reconciliation.stock_differences set record_ref = null where subject_key = 'HV-00001'"
    ),
    "stock_differences.ages_not_negative": (
        "update reconciliation.stock_differences set age_build_seconds = -1 where subject_key = 'HV-00001'"
    ),
    "stock_differences.corrected_in_time": (
        "update reconciliation.stock_differences set age_queue_seconds = 86400 where subject_key = 'HV-00001'"
    ),
    "stock_changes.channel_enabled": (
        "update outbox.stock_changes set target_system = 'bazaar' where subject_key = 'HV-00001'"
    ),
    "stock_changes.entity_known": ("update outbox.stock_changes set entity = 'price' where subject_key = 'HV-00001'"),
    "stock_changes.field_known": ("update outbox.stock_changes set field = 'incoming' where subject_key = 'HV-00001'"),
    "stock_changes.target_in_bounds": ("update outbox.stock_changes set desired = '-1' where subject_key = 'HV-00001'"),
    "stock_changes.changes_something": (
        "update outbox.stock_changes set expected = '9' where subject_key = 'HV-00001'"
    ),
    "stock_changes.one_a_record": "update outbox.stock_changes set record_ref = 'i1|l1'",
    "stock_changes.record_present": (
        "update outbox.stock_changes set record_ref = null where subject_key = 'HV-00001'"
    ),
    "stock_changes.fence_present": ("update outbox.stock_changes set expected = null where subject_key = 'HV-00001'"),
    "stock_changes.facts_version_present": (
        "update outbox.stock_changes set facts_version = null where subject_key = 'HV-00001'"
    ),
    "stock_changes.correlation_present": (
        "update outbox.stock_changes set correlation_id = null where subject_key = 'HV-00001'"
    ),
    "order_differences.booked_there": "update reconciliation.order_differences set owner_system_id = 'shipbob'",
    "order_differences.class_known": (
        "update reconciliation.order_differences set difference_class = 'odd' where field = 'document'"
    ),
    "order_differences.cause_present": (
        "update reconciliation.order_differences set cause = null where field = 'document'"
    ),
    "order_differences.cause_has_evidence": (
        "update reconciliation.order_differences set evidence = '{}' where field = 'lines'"
    ),
    "order_differences.booked_once": (
        "update reconciliation.order_differences set difference_class = 'booked_twice' where field = 'document'"
    ),
    "order_differences.cause_found": (
        "update reconciliation.order_differences set cause = 'unexplained' where field = 'document'"
    ),
    "order_differences.corrected_in_time": (
        "update reconciliation.order_differences set age_queue_seconds = 86400 where field = 'document'"
    ),
    "order_changes.adds_up": (
        "update outbox.order_changes set desired = jsonb_set(desired, '{document,total}', '\"25.11\"')"
        " where operation = 'create'"
    ),
    "order_changes.items_known": (
        "update outbox.order_changes set desired = desired #- '{document,lines,0,item_ref}' where operation = 'create'"
    ),
    "order_changes.one_a_record": (
        "insert into outbox.order_changes select * from outbox.order_changes where operation = 'transition'"
    ),
    "order_changes.record_present": (
        "update outbox.order_changes set record_ref = null where operation = 'transition'"
    ),
    "order_changes.correlation_present": (
        "update outbox.order_changes set correlation_id = null where operation = 'transition'"
    ),
    "int_parcels.quantity_in_bounds": "update staging.int_parcels set quantity = -2",
    "int_parcels.status_known": "update staging.int_parcels set status = 'lost'",
    "int_parcels.moment_present": "update staging.int_parcels set shipped_at = null",
    "int_parcels.arrives_after_it_left": "update staging.int_parcels set delivered_at = shipped_at - interval '1 day'",
    "fulfilment_differences.channel_known": (
        "update reconciliation.fulfilment_differences set target_system = 'bazaar' where subject_key = 'shipbob|80|101'"
    ),
    "fulfilment_differences.class_known": (
        "update reconciliation.fulfilment_differences set difference_class = 'lost'"
        " where subject_key = 'shipbob|80|101'"
    ),
    "fulfilment_differences.cause_present": (
        "update reconciliation.fulfilment_differences set cause = null where subject_key = 'shipbob|80|101'"
    ),
    "fulfilment_differences.cause_has_evidence": (
        "update reconciliation.fulfilment_differences set evidence = '{}' where subject_key = 'shipbob|80|101'"
    ),
    "fulfilment_differences.shipped_once": (
        "update reconciliation.fulfilment_differences set difference_class = 'shipped_twice'"
        " where subject_key = 'shipbob|80|101'"
    ),
    "fulfilment_differences.delivered": (
        "update reconciliation.fulfilment_differences set difference_class = 'undelivered_and_back'"
        " where subject_key = 'shipbob|80|101'"
    ),
    "fulfilment_differences.nothing_told_without_cause": (
        "update reconciliation.fulfilment_differences set difference_class = 'told_not_shipped'"
        " where subject_key = 'shipbob|80|101'"
    ),
    "fulfilment_differences.cause_found": (
        "update reconciliation.fulfilment_differences set cause = 'unexplained' where subject_key = 'shipbob|80|101'"
    ),
    "fulfilment_differences.told_in_time": (
        "update reconciliation.fulfilment_differences set age_queue_seconds = 86400"
        " where subject_key = 'shipbob|80|101'"
    ),
    "fulfilment_changes.channel_enabled": (
        "update outbox.fulfilment_changes set target_system = 'bazaar' where subject_key = 'shipbob|80|101'"
    ),
    "fulfilment_changes.all_units_placed": (
        "update outbox.fulfilment_changes set size = 3 where subject_key = 'shipbob|80|101'"
    ),
    "fulfilment_changes.location_present": (
        "update outbox.fulfilment_changes set desired = desired #- '{document,location_ref}'"
        " where subject_key = 'shipbob|80|101'"
    ),
    "fulfilment_changes.one_a_record": "update outbox.fulfilment_changes set record_ref = 'shipbob|80|101'",
    "fulfilment_changes.record_present": (
        "update outbox.fulfilment_changes set record_ref = null where subject_key = 'shipbob|80|101'"
    ),
    "fulfilment_changes.correlation_present": (
        "update outbox.fulfilment_changes set correlation_id = null where subject_key = 'shipbob|80|101'"
    ),
}

SUITES = load_suites(default_folder())
RULES = [(suite, rule) for suite in SUITES for rule in suite.expectations]


@pytest.fixture(scope="module")
def built(postgres: EmbeddedPostgres) -> Iterator[ConnectionDetails]:
    """One warehouse with the built tables, filled again for every corruption."""
    name = "gates_corruptions"
    postgres.drop_database(name)
    postgres.create_database(name, template="template_migrated")
    create_tables(postgres.details(name))
    yield postgres.details(name)
    postgres.drop_database(name)


@pytest.fixture
def only(tmp_path: Path) -> Path:
    """A folder for the one suite that is validated."""
    return tmp_path / "expectations"


def test_every_expectation_has_a_corruption() -> None:
    """An expectation that nothing makes fail may never have worked."""
    assert {rule.rule_id for _, rule in RULES} == set(CORRUPTIONS)


@pytest.mark.parametrize("suite", SUITES, ids=[suite.name for suite in SUITES])
def test_valid_tables_pass(built: ConnectionDetails, only: Path, suite: Suite) -> None:
    """Or the corruptions would prove nothing."""
    fill_tables(built)
    report = run_gates(built, demo_configuration(), run_id="valid", is_full=True, folder=_folder_of(suite, only))
    assert report.failed == ()
    assert report.expectation_count == len(suite.expectations)
    assert report.not_applicable_count == 0, "every rule has something to validate here"


@pytest.mark.parametrize(("suite", "rule"), RULES, ids=[rule.rule_id for _, rule in RULES])
def test_only_this_expectation_catches(built: ConnectionDetails, only: Path, suite: Suite, rule: Expectation) -> None:
    """Caught by its own rule alone, and with the effect that its severity and scope promise."""
    fill_tables(built)
    with connect(built, None) as connection:
        connection.execute(CORRUPTIONS[rule.rule_id].encode())
    report = run_gates(built, demo_configuration(), run_id="spoilt", is_full=True, folder=_folder_of(suite, only))
    assert [failure.rule_id for failure in report.failed] == [rule.rule_id]
    assert report.failed[0].error is None
    with connect(built, None) as connection:
        quarantined = connection.execute("select distinct rule_id from gates.quarantine").fetchall()
        stops = connection.execute("select rule_id, target_system from gates.stops").fetchall()
    is_critical = rule.severity is Severity.CRITICAL
    assert quarantined == ([(rule.rule_id,)] if is_critical and rule.scope is Scope.ROW else [])
    assert stops == ([(rule.rule_id, None)] if is_critical and rule.scope is Scope.TABLE else [])


def _folder_of(suite: Suite, folder: Path) -> Path:
    (folder / suite.workflow).mkdir(parents=True)
    shutil.copy(default_folder() / suite.workflow / f"{suite.table}.yml", folder / suite.workflow)
    return folder
