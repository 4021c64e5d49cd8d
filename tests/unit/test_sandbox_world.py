"""The sandbox's world: the same seed is the same world, books follow shelves, and nothing is counted twice."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trueup.configuration.tenants import load_tenant
from trueup.sandbox.business.demand import Demand
from trueup.sandbox.business.trade import Trade
from trueup.sandbox.naive import PlainShop, plain_world, run_baseline
from trueup.sandbox.webhooks import Courier
from trueup.sandbox.world.agenda import Kind
from trueup.sandbox.world.clock import HOUR, WorldClock
from trueup.sandbox.world.entries import Entry, MovementKind, OrderShipped, StockMoved
from trueup.sandbox.world.faults import PROFILES, FaultKind, FaultRule, Faults
from trueup.sandbox.world.intents import ShopVisit, StaffEdit, TillVisit
from trueup.sandbox.world.layout import Layout, SalesChannel, demo_layout
from trueup.sandbox.world.opening import Opening
from trueup.sandbox.world.products import gtin13
from trueup.sandbox.world.report import tell_truth
from trueup.sandbox.world.settings import WorldSettings
from trueup.sandbox.world.world import World

CHANNELS = demo_layout().channels
LOCATIONS = demo_layout().locations

TENANTS = Path(__file__).resolve().parents[2] / "tenants"
SMALL = WorldSettings(skus=80, intensity=6.0)
Live = tuple[World, Trade, dict[str, PlainShop]]


@pytest.fixture
def live() -> Live:
    return plain_world(SMALL)


def reported(world: World) -> list[tuple[datetime, str, str]]:
    return [(happening.at, happening.kind, repr(sorted(happening.facts.items()))) for happening in world.diary()]


def test_the_same_seed_is_the_same_world() -> None:
    """A figure somebody reports has to be found again."""
    first, second = plain_world(SMALL)[0], plain_world(SMALL)[0]
    first.step(6 * HOUR)
    for _ in range(12):
        second.step(HOUR // 2)
    assert reported(first) == reported(second)
    assert first.truth.physical == second.truth.physical


def test_another_seed_is_another_world() -> None:
    """Else the seed would be decoration."""
    first = plain_world(SMALL)[0]
    second = plain_world(WorldSettings(skus=80, intensity=6.0, seed=2))[0]
    assert first.truth.physical != second.truth.physical


def test_two_syncs_meet_the_same_customers(live: Live) -> None:
    """Only then can their lost and oversold units be compared."""
    world, _, shops = live
    other, _, other_shops = plain_world(SMALL)
    for shop in other_shops.values():
        shop.front.quantities = dict.fromkeys(shop.front.quantities, 10_000)
    for shop in shops.values():
        shop.front.quantities = dict.fromkeys(shop.front.quantities, 0)
    for each in (world, other):
        each.step(4 * HOUR)
    arrivals = [{h.facts["sku"] for h in each.diary() if h.kind == "received"} for each in (world, other)]
    assert arrivals[0] == arrivals[1]
    assert not [happening for happening in world.diary() if happening.kind == "order" and happening.facts["channel_id"]]
    wanted = sum(1 for happening in other.diary() if happening.kind == "order" and happening.facts["channel_id"])
    assert wanted > 50


def test_resetting_begins_the_same_world_again(live: Live) -> None:
    """`/world/seed` must leave nothing behind."""
    world, _, _ = live
    world.step(3 * HOUR)
    first = reported(world)
    world.reset()
    assert world.clock.seconds == 0
    assert reported(world) == []
    world.step(3 * HOUR)
    assert reported(world) == first


def test_books_are_shelves_less_what_is_still_unrecorded(live: Live) -> None:
    """Nothing is booked twice and nothing is forgotten, at any moment; only uncounted losses may differ."""
    world, _, _ = live
    vanished: Counter[tuple[str, str]] = Counter()
    opening = {
        (level.sku, level.location_id): level.on_hand
        for place in LOCATIONS.values()
        for level in world.opening_levels(place.system_id)
        if LOCATIONS[level.location_id].system_id == place.system_id
    }
    for key, units in opening.items():
        vanished[key] = units - world.truth.physical[key]
    seen = 0
    for _ in range(16):
        world.step(HOUR)
        for happening in world.diary(seen):
            seen = happening.sequence
            key = (str(happening.facts.get("sku")), str(happening.facts.get("location_id")))
            if happening.kind == "vanished":
                vanished[key] += happening.facts["units"]
            elif happening.kind == "counted":
                vanished[key] = 0
        for (sku, location_id), units in world.truth.physical.items():
            book = world.books[LOCATIONS[location_id].system_id].on_hand(sku, location_id)
            assert book == units - world.unrecorded(sku, location_id) + vanished[sku, location_id], (sku, location_id)


def test_no_shelf_goes_below_empty_and_no_promise_below_none(live: Live) -> None:
    """The truth cannot owe units to itself."""
    world, _, shops = live
    for shop in shops.values():
        shop.front.quantities = dict.fromkeys(shop.front.quantities, 10_000)
    for _ in range(12):
        world.step(HOUR)
        assert min(world.truth.physical.values()) >= 0
        assert min(world.truth.promised.values()) >= 0


def test_a_quiet_world_has_no_documents_under_way(live: Live) -> None:
    """What `/world/quiet` promises to a test that then compares books with shelves."""
    world, trade, _ = live
    world.step(5 * HOUR)
    assert world.pending()[Kind.RECORD] > 0
    trade.quiet(is_counting=True)
    assert world.pending()[Kind.RECORD] == world.pending()[Kind.WORK] == 0
    assert not any(order.is_open for order in trade.fulfilment.orders.values())
    for row in tell_truth(world, trade)["shelves"]:
        assert (row["book"], row["unrecorded"], row["promised"]) == (row["physical"], 0, 0)


def test_a_quiet_world_can_keep_its_orders_open(live: Live) -> None:
    """Reservations have to be looked at while nothing moves."""
    world, trade, _ = live
    world.step(5 * HOUR)
    trade.quiet(is_shipping=False)
    assert any(order.is_open for order in trade.fulfilment.orders.values())
    assert world.pending()[Kind.RECORD] == 0
    before = len(world.diary())
    trade.resume()
    world.step(5 * HOUR)
    assert len(world.diary()) > before


def test_oversold_units_carry_the_facts_that_explain_them(live: Live) -> None:
    """A report has to say which lag allowed each."""
    world, _, shops = live
    world.step(HOUR)
    for shop in shops.values():
        shop.front.quantities = dict.fromkeys(shop.front.quantities, 10_000)
    world.step(6 * HOUR)
    cases = [case for case in world.truth.oversold if case.facts]
    assert cases
    for case in cases:
        assert case.units == case.wanted - case.free > 0
        assert case.shown >= case.wanted
        for fact in case.facts:
            happened_at = fact["happened_at"]
            assert isinstance(happened_at, datetime)
            assert happened_at <= case.sold_at


def test_a_unit_on_the_shelf_is_lost_once_however_many_are_refused(live: Live) -> None:
    """Else a sync that keeps one unit back would seem to lose a hundred sales over it."""
    world, trade, shops = live
    for shop in shops.values():
        shop.front.quantities = dict.fromkeys(shop.front.quantities, 0)
    sku, free = "HV-00001", world.truth.free("HV-00001", CHANNELS["shopify_main"].served_by)
    for _ in range(free + 5):
        trade.customers._refuse("shopify_main", sku, 1, 0, free)
    assert sum(case.units for case in world.truth.lost if case.sku == sku) == free


def test_a_record_is_written_after_what_it_tells_and_orders_in_their_own_order() -> None:
    """Vendors write late, but never a shipment before the order."""
    entries: list[Entry] = []

    class Listening(PlainShop):
        def record(self, entry: Entry) -> None:
            entries.append(entry)
            super().record(entry)

    world, _, shops = plain_world(SMALL)
    for shop in shops.values():
        listening = Listening(world, shop._channel)
        world.attach(listening)
    world.reset()
    world.step(8 * HOUR)
    assert entries
    assert all(entry.recorded_at >= entry.happened_at for entry in entries)
    assert [entry.recorded_at for entry in entries] == sorted(entry.recorded_at for entry in entries)
    entered: set[str] = set()
    for entry in entries:
        if isinstance(entry, OrderShipped):
            assert entry.order_name in entered
        elif hasattr(entry, "order"):
            entered.add(entry.order.name)


def test_a_timestamp_stands_still_where_the_fault_says_so() -> None:
    """On every real system some stock change left `updated_at` alone."""
    world, trade, _ = plain_world(SMALL)
    world.faults.use_rules([FaultRule("netsuite", FaultKind.STILL_TIMESTAMP)])
    level = next(iter(world.books["netsuite"].levels))
    before = world.books["netsuite"].levels[level].changed_at
    trade.operations.receive(*level, 5, key="test")
    world.step(2 * HOUR)
    after = world.books["netsuite"].levels[level]
    assert after.changed_at == before
    assert after.entered_at > before


def test_the_naive_sync_oversells_and_loses_sales() -> None:
    """The baseline has to be beaten at both."""
    report = run_baseline(WorldSettings(), seconds=11 * HOUR)
    assert report.oversold_units > 50
    assert report.lost_units > 100
    assert report.writes > 300
    assert run_baseline(WorldSettings(), seconds=11 * HOUR) == report


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_tenth_of_the_listings_is_wrong_at_the_start_both_ways(seed: int) -> None:
    """What the demo sets out to put right."""
    settings = WorldSettings(seed=seed)
    opening = Opening.of(settings)
    right = Opening.of(WorldSettings(seed=seed, wrong_share=0.0))
    for channel_id in CHANNELS:
        shown, wanted = opening.listing(channel_id), right.listing(channel_id)
        assert shown.keys() == wanted.keys()
        assert sum(shown[sku] != wanted[sku] for sku in shown) >= len(shown) / 10
        assert any(shown[sku] > wanted[sku] for sku in shown)
        assert any(shown[sku] < wanted[sku] for sku in shown)


def test_the_shopkeepers_rules_are_the_demo_tenants() -> None:
    """A right listing at the start is right by the tenant's own file."""
    configuration = load_tenant(TENANTS, "demo")
    catalogue = Opening.of(WorldSettings()).catalogue
    for channel_id, channel in configuration.channels.items():
        for product in catalogue.products.values():
            policy = CHANNELS[channel_id].policy(product)
            for term in ("safety_stock", "buffer", "share", "cap"):
                fitting = sorted(
                    (
                        (rule.sku is not None, rule.category is not None, getattr(rule, term))
                        for rule in channel.rules
                        if getattr(rule, term) is not None
                        and rule.sku in (None, product.sku)
                        and rule.category in (None, product.category)
                    ),
                    key=lambda found: found[:2],
                )
                wanted = fitting[-1][2] if fitting else getattr(configuration.default_rule, term)
                assert getattr(policy, term) == wanted, (channel_id, product.sku, term)


def test_a_channel_that_is_added_rolls_nobody_elses_dice_again() -> None:
    """Else a retailer who adds a channel would compare two worlds that have nothing in common."""
    demo = demo_layout()
    added = SalesChannel("market", "market", "1", ("WH-EAST", "STORE-1"), rules=({"buffer": 1},))
    layout = Layout(
        {**demo.vendors, "market": "shopify"},
        {**demo.roles, "market": "shop"},
        demo.locations,
        {**demo.channels, "market": added},
    )
    worlds = [WorldSettings(skus=80), WorldSettings(skus=80, layout=layout)]
    before, after = (Opening.of(settings) for settings in worlds)
    assert after.physical == before.physical
    assert {channel: after.listing(channel) for channel in CHANNELS} == {
        channel: before.listing(channel) for channel in CHANNELS
    }
    assert after.listing("market")
    days = [Demand(settings, opening).day(1, 0) for settings, opening in zip(worlds, (before, after), strict=True)]
    visits = [[each for each in day if isinstance(each, ShopVisit | TillVisit | StaffEdit)] for day in days]
    assert visits[0] == [each for each in visits[1] if getattr(each, "channel_id", None) != "market"]
    assert len(visits[1]) > len(visits[0])


def test_the_demo_tenants_alias_file_is_the_worlds() -> None:
    """Products that only a person can resolve are resolved by exactly these rows."""
    lines = (TENANTS / "demo" / "aliases.csv").read_text(encoding="utf-8").splitlines()
    rows = {tuple(line.split(",")) for line in lines[1:]}
    assert rows == set(Opening.of(WorldSettings()).catalogue.alias_rows)


def test_identities_are_messy_in_every_way() -> None:
    """Other codes under one GTIN, letter cases and blanks, no clue at all, strangers that match none or two."""
    catalogue = Opening.of(WorldSettings()).catalogue
    by_gtin = Counter(product.gtin for product in catalogue.products.values())
    shipbob = {product.sku: catalogue.identity("shipbob", product.sku) for product in catalogue.carried("shipbob")}
    square = {product.sku: catalogue.identity("square", product.sku) for product in catalogue.carried("square")}
    assert any(known.code != sku and known.gtin == catalogue.products[sku].gtin for sku, known in shipbob.items())
    assert any(known.code == sku.lower() for sku, known in square.items())
    assert any(known.code == f" {sku} " for sku, known in square.items())
    assert any(known.gtin is None for known in (*shipbob.values(), *square.values()))
    strangers = [*catalogue.strangers("shipbob"), *catalogue.strangers("square")]
    assert {by_gtin[stranger.gtin or ""] for stranger in strangers} == {0, 2}


@pytest.mark.parametrize("number", [1, 23, 4711, 999_999])
def test_a_gtin_has_its_check_digit(number: int) -> None:
    """Systems validate it: a wrong one would be an exception of its own."""
    digits = [int(digit) for digit in gtin13(number)]
    assert len(digits) == 13
    assert sum(digit * (3 if index % 2 else 1) for index, digit in enumerate(digits)) % 10 == 0


def test_the_clock_shows_whole_seconds_at_its_own_speed() -> None:
    """Everything of a second is done before the next is shown, so it may not run ahead by itself."""
    real = [100.0]
    clock = WorldClock(datetime(2026, 1, 1, tzinfo=UTC), monotonic=lambda: real[0])
    clock.run(60)
    real[0] += 0.99 / 60
    assert clock.due() == 0
    real[0] += 10
    assert clock.due() == 600
    assert clock.seconds == 0
    clock.show(600)
    clock.pause()
    real[0] += 10
    assert clock.due() == 600
    assert clock.now() == datetime(2026, 1, 1, 0, 10, tzinfo=UTC)


def test_a_running_world_goes_on_from_where_a_step_took_it() -> None:
    """A step by hand is not taken back by the running clock, nor added to it twice."""
    real = [0.0]
    world, _, _ = plain_world(WorldSettings(skus=10, intensity=0.1))
    world.clock = WorldClock(world.settings.start, monotonic=lambda: real[0])
    world.clock.run(1)
    world.step(1000)
    real[0] += 5
    world.catch_up()
    assert world.clock.seconds == 1005


def struck(faults: Faults, kind: FaultKind, times: int) -> list[bool]:
    return [faults.strikes("netsuite", kind, path="/suiteql", method="POST") for _ in range(times)]


def test_a_fault_strikes_as_often_as_its_rule_says() -> None:
    """Tests aim single faults with it."""
    faults = Faults()
    faults.use_rules([FaultRule("netsuite", FaultKind.SERVER_ERROR, count=2, skip=1)])
    assert struck(faults, FaultKind.SERVER_ERROR, 5) == [False, True, True, False, False]
    assert faults.rules[0].struck == 2


@pytest.mark.parametrize(
    "rule",
    [
        FaultRule("square", FaultKind.SERVER_ERROR),
        FaultRule("netsuite", FaultKind.SERVER_ERROR, path="/record"),
        FaultRule("netsuite", FaultKind.SERVER_ERROR, method="GET"),
        FaultRule("netsuite", FaultKind.RATE_LIMITED),
    ],
)
def test_a_fault_strikes_nothing_but_what_it_names(rule: FaultRule) -> None:
    """A rule for one call must not hit another."""
    faults = Faults()
    faults.use_rules([rule])
    assert struck(faults, FaultKind.SERVER_ERROR, 3) == [False, False, False]


def test_a_storm_has_every_fault_and_comes_the_same_again() -> None:
    """No kind is missing, and a run that failed can be repeated."""
    assert set(PROFILES["storm"]) == set(FaultKind)
    runs = []
    for _ in range(2):
        faults = Faults(seed=7)
        faults.use_profile("storm")
        runs.append(struck(faults, FaultKind.SERVER_ERROR, 500))
    assert runs[0] == runs[1]
    assert 5 <= sum(runs[0]) <= 40


@pytest.mark.parametrize(
    ("reported", "wrong"),
    [
        ({"system": "x"}, "kind"),
        ({"kind": "earthquake"}, "earthquake"),
        ({"kind": "slow_answer", "rate": 2}, "rate"),
        ({"kind": "slow_answer", "chance": 1}, "chance"),
    ],
)
def test_a_fault_that_cannot_be_meant_is_refused(reported: dict[str, object], wrong: str) -> None:
    """A misspelt fault that never strikes would make a test pass for nothing."""
    with pytest.raises(ValueError, match=wrong):
        FaultRule.parse(reported)


def test_settings_of_another_name_are_refused() -> None:
    """`/world/seed` with a misspelt setting must not quietly begin the default world."""
    with pytest.raises(ValueError, match="sku_count"):
        WorldSettings().changed({"sku_count": 5})
    assert WorldSettings().changed({"skus": 5, "start": "2026-03-01T09:00:00+00:00"}).start.month == 3


def test_goods_received_reach_the_book_with_the_vendors_delay(live: Live) -> None:
    """That delay is why channels go wrong."""
    world, trade, _ = live
    key = ("HV-00001", "WH-EAST")
    before = world.books["netsuite"].on_hand(*key)
    physical = world.truth.physical[key]
    trade.operations.receive(*key, 7, key="test")
    assert world.truth.physical[key] == physical + 7
    assert world.books["netsuite"].on_hand(*key) == before
    assert world.unrecorded(*key) == 7


def test_a_count_is_not_spoilt_by_documents_under_way(live: Live) -> None:
    """The stocktaker leaves out what is booked later, or it would be booked twice."""
    world, trade, _ = live
    key = ("HV-00001", "WH-EAST")
    trade.operations.receive(*key, 7, key="test")
    trade.operations.lose(*key, 1)
    figure = trade.operations.count(*key, reference="test")
    assert figure == world.truth.physical[key] - 7
    trade.quiet()
    assert world.books["netsuite"].on_hand(*key) == world.truth.physical[key]


@pytest.fixture
def entry_of() -> Callable[[World], StockMoved]:
    def build(world: World) -> StockMoved:
        header = world.header("nobody", 0)
        return StockMoved(
            **header, kind=MovementKind.RECEIPT, sku="HV-00001", location_id="WH-EAST", delta=1, reference="x"
        )

    return build


def test_an_entry_for_a_system_nobody_runs_is_dropped(live: Live, entry_of: Callable[[World], StockMoved]) -> None:
    """A world with two of its vendors must still live."""
    world, _, _ = live
    world.post(entry_of(world))
    assert "nobody" not in world.books


def test_a_webhook_held_back_is_let_go_when_nothing_comes_after_it() -> None:
    """Reordered is not lost."""
    now = [0.0]
    faults = Faults()
    faults.use_rules([FaultRule("square", FaultKind.REORDERED_WEBHOOK, count=1)])
    courier = Courier(faults, clock=lambda: now[0])
    courier.send("square", "http://127.0.0.1:9/hook", {}, b"first")
    courier.let_go()
    assert courier.waiting == 0
    now[0] = 10.0
    courier.let_go()
    assert courier.waiting == 1
