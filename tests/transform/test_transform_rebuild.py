"""Every table that a build keeps up to date is what a rebuild from raw makes it, whatever happened in between.

A history is a few products of its own and everything that happens to them: in each step something random lands, and one
build takes in the steps of all histories at once. At the end every incremental model is compared with its rebuild.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from tests.built_warehouse import fresh_facts
from tests.transform.order_money import priced
from tests.transform.square_order_money import square_priced, square_return
from tests.transform.transform_facts import (
    Fact,
    Facts,
    Line,
    at,
    gone,
    netsuite_item,
    netsuite_level,
    netsuite_movement,
    netsuite_order,
    place,
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
    square_physical_count,
)
from tests.workflows.fulfilment.fulfilment_facts import LOCATIONS
from tests.workflows.returns.return_facts import (
    credit,
    erp_receipt,
    erp_return,
    handling_tenant,
    shop_return,
    warehouse_restock,
    warehouse_return,
)

from trueup.configuration.model import FulfilmentConfirmation, OrderBooking
from trueup.dev.postgres import EmbeddedPostgres
from trueup.transform.project import project_folder
from trueup.transform.versions import models_of

PRODUCTS = 3
CONFIRMED = {"shopify_main": {"locations": LOCATIONS}, "shopify_outlet": {}}
# Which build wrote a row is no part of it; the queue's age is the clock's.
_NO_CONTENT = ("build_id", "age_queue_seconds")
_PLACES = (("netsuite", "1"), ("shipbob", "101"), ("square", "LSTORE1"), ("square", "LONLINE"))
_REFUND_STATES = ("APPROVED", "APPROVED", "PENDING", "FAILED")
_SWEPT = ("netsuite", "shipbob", "square")


@dataclass
class History:
    """A few products, under numbers that no other history has."""

    number: int
    dice: random.Random
    step: int = 0
    landed: list[Fact] = field(default_factory=list)

    def one(self) -> int:
        """One of its products."""
        return self.number * 10 + self.dice.randrange(PRODUCTS)

    def sku(self) -> str:
        """The SKU of one of its products, sometimes as the shop or nobody spells it."""
        code = f"HV-{self.one():05d}"
        return self.dice.choice([code, code, code, code.lower(), f"OLD-{self.one():05d}", f"NONE-{self.number}"])

    def barcode(self) -> str | None:
        """A GTIN of one of its products, or none."""
        return self.dice.choice([None, None, f"40123{self.one():08d}"])

    def when(self) -> int:
        """A moment of this step, in coarse time."""
        return self.step * 1000 + self.dice.choice([0, 10, 10, 290, 310, 600])

    def key(self) -> int:
        """The key of something that may happen to be there already."""
        return self.number * 100 + self.dice.randrange(5)

    def name(self) -> str:
        """The name of one of its orders; the next history has one of them too."""
        return f"#{self.number * 4 + self.dice.randrange(5)}"

    def lines(self) -> list[Line]:
        """One to three lines of variants, of codes, and of postage."""
        found = []
        for _ in range(self.dice.randint(1, 3)):
            units = self.dice.randint(1, 4)
            removed = self.dice.choice([0, 0, 1])
            variant = self.dice.choice([str(self.one()), str(self.one()), None])
            code = self.sku() if self.dice.random() < 0.8 else "POST"
            fulfilled = self.dice.choice([0, 0, 1]) if units > removed else 0
            found.append(Line(variant, units, sku=code, removed=removed, fulfilled=fulfilled))
        return found

    def advance(self) -> list[Fact]:
        """What lands of it in the next step; sometimes nothing, sometimes what is gone again."""
        actions = _FIRST if self.step == 0 else self.dice.choices(_ACTIONS, k=self.dice.randint(0, 4))
        facts = [fact for action in actions for fact in action(self)]
        if self.landed and self.dice.random() < 0.3:
            facts.append(gone(self.dice.choice(self.landed), at(self.when())))
        if self.landed and self.dice.random() < 0.2:
            again = self.dice.choice(self.landed)
            facts.append(replace(again, occurred_at=at(self.when())))
        self.landed += facts
        self.step += 1
        return facts


def _every_product(history: History) -> Iterator[Fact]:
    for index in range(PRODUCTS):
        number = history.number * 10 + index
        sku = f"HV-{number:05d}"
        yield netsuite_item(str(number), sku, gtin=history.barcode())
        yield netsuite_level(str(number), history.dice.randint(0, 30), at(0))
        yield shopify_variant(str(number), sku)
        yield shopify_listing(str(number), history.dice.randint(0, 30), at(0))
        yield square_item(str(number), sku)
        yield shipbob_product(number, sku)


def _item(history: History) -> Iterator[Fact]:
    yield netsuite_item(
        str(history.one()),
        history.sku(),
        gtin=history.barcode(),
        kind=history.dice.choice(["InvtPart", "InvtPart", "InvtPart", "Kit", "Service"]),
        is_active=history.dice.random() < 0.9,
        when=at(history.when()),
    )


def _variant(history: History) -> Iterator[Fact]:
    yield shopify_variant(
        str(history.one()),
        history.sku(),
        store=history.dice.choice(["shopify_main", "shopify_outlet"]),
        barcode=history.barcode(),
        tracked=history.dice.random() < 0.8,
        when=at(history.when()),
    )


def _stored_item(history: History) -> Iterator[Fact]:
    if history.dice.random() < 0.5:
        yield shipbob_product(history.one(), history.sku(), gtin=history.barcode(), when=at(history.when()))
    else:
        sold_at = history.dice.choice([None, ["LSTORE1"], ["LONLINE"]])
        yield square_item(str(history.one()), history.sku(), sold_at=sold_at, when=at(history.when()))


def _level(history: History) -> Iterator[Fact]:
    number, units, when = history.one(), history.dice.randint(0, 30), at(history.when())
    yield history.dice.choice(
        [
            netsuite_level(str(number), units, when, location=history.dice.choice(["1", "1", "2"])),
            shipbob_level(number, units, when, committed=history.dice.randint(0, 3)),
            square_count(str(number), units, when),
        ]
    )


def _movement(history: History) -> Iterator[Fact]:
    number, when, key = history.one(), at(history.when()), history.key()
    units = history.dice.choice([-3, -1, 2, 5])
    kind = history.dice.choice(["InvAdjst", "ItemShip", "ItemShip", "CustCred", "ItemRcpt"])
    order = history.dice.choice([None, history.name()])
    made_from = history.dice.choice([None, str(history.key())])
    yield history.dice.choice(
        [
            netsuite_movement(key, str(number), units, when, kind=kind, order=order, created_from=made_from),
            square_adjustment(f"A{key}", str(number), units, when, order_id=history.dice.choice([None, f"SQ{key}"])),
            square_physical_count(f"P{key}", str(number), abs(units), when),
            shipbob_event(key, number, units, when, order_id=history.dice.choice([None, history.key()])),
        ]
    )


def _shop_order(history: History) -> Iterator[Fact]:
    is_cancelled = history.dice.random() < 0.2
    store = history.dice.choice(["shopify_main", "shopify_main", "shopify_outlet"])
    when = at(history.when())
    order = shopify_order(
        history.name(), history.lines(), when, store=store, ordered_at=at(0), is_cancelled=is_cancelled
    )
    order = _tracked(history, order)
    yield priced(order, history.dice)[0] if history.dice.random() < 0.9 else order
    if history.dice.random() < 0.3:
        sale = square_order(str(history.key()), history.lines(), when, reference=history.name())
        yield (sale := square_priced(sale, history.dice))
        if history.dice.random() < 0.5:
            amount = history.dice.choice([None, 1])
            yield square_return(str(history.key()), sale, amount, when, status=history.dice.choice(_REFUND_STATES))


def _tracking(history: History) -> str:
    """One of the tracking numbers of a history, which its parcels share."""
    return f"T{history.number}-{history.dice.randrange(4)}"


def _tracked(history: History, order: Fact) -> Fact:
    """The order, whose parcels have a location and numbers, or not."""
    payload = {**(order.payload or {})}
    payload["fulfillments"] = [
        {
            **parcel,
            "location": history.dice.choice([None, *({"id": location} for location in LOCATIONS.values())]),
            "trackingInfo": [{"company": None, "number": _tracking(history), "url": None}]
            if history.dice.random() < 0.7
            else [],
        }
        for parcel in payload["fulfillments"]
    ]
    return replace(order, payload=payload)


def _parcel(history: History) -> Iterator[Fact]:
    key, number, when = history.key(), history.one(), at(history.when())
    if history.dice.random() < 0.5:
        made_from = history.dice.choice([None, str(history.key())])
        order = history.dice.choice([None, history.name()])
        units = history.dice.choice([-3, -1])
        fact = netsuite_movement(key, str(number), units, when, kind="ItemShip", order=order, created_from=made_from)
        tracked = {} if history.dice.random() < 0.3 else {"trackingnumbers": _tracking(history)}
        yield replace(fact, payload={**(fact.payload or {}), **tracked})
        return
    status = history.dice.choice(["OnHold", "Completed", "Completed", "Exception"])
    fact = shipbob_order(key, history.name(), [(number, 2, status)], when, channel="shopify_main")
    payload: dict[str, Any] = {**(fact.payload or {})}
    progress = {
        "actual_fulfillment_date": when.isoformat() if status != "OnHold" else None,
        "delivery_date": history.dice.choice([None, (when + timedelta(days=1)).isoformat()]),
        "tracking": {"carrier": "Evri", "tracking_number": _tracking(history)},
        "status_details": [{"id": 1, "name": "ReturnedToSender"}],
    }
    payload["shipments"] = [{**shipment, **progress} for shipment in payload["shipments"]]
    yield replace(fact, payload=payload)


def _copy(history: History) -> Iterator[Fact]:
    key, name, when = history.key(), history.dice.choice([None, history.name()]), at(history.when())
    units = history.dice.randint(1, 5)
    if history.dice.random() < 0.6:
        channel = history.dice.choice([None, "shopify_main", "shopify_outlet"])
        yield netsuite_order(
            key,
            str(history.one()),
            units,
            when,
            transaction=str(history.key()),
            order=name,
            channel=channel,
            shipped=history.dice.choice([0, 0, 1]),
            location=history.dice.choice(["1", "2", None]),
            closed=history.dice.random() < 0.1,
        )
    else:
        parts = [(history.one(), units, history.dice.choice(["Processing", "Completed", "Cancelled"]))]
        yield shipbob_order(key, name or f"SB{key}", parts, when, channel=history.dice.choice([None, "shopify_main"]))


def _listing(history: History) -> Iterator[Fact]:
    store = history.dice.choice(["shopify_main", "shopify_outlet"])
    units, tracked = history.dice.randint(0, 30), history.dice.random() < 0.9
    yield shopify_listing(str(history.one()), units, at(history.when()), store=store, tracked=tracked)


def _return(history: History) -> Iterator[Fact]:
    """Something of a return, or a credit, of one of its orders; by numbers that may be there already."""
    dice, key, name, item = history.dice, history.key(), history.name(), history.one()
    units, when = dice.randint(1, 3), history.when()
    done, store = dice.randint(0, units), dice.choice(["shopify_main", "shopify_main", "shopify_outlet"])
    taken = [(dice.choice(["Restock", "Dispose"]), done)] if done else []
    yield dice.choice(
        [
            erp_return(key, str(item), name, units=units, received=done, restocked=dice.randint(0, done), when=when),
            erp_receipt(key, str(item), name, units, when=when),
            shop_return(name, units=units, dealt_with=done, exchanged=dice.choice([0, 0, 1]), when=when, store=store),
            warehouse_return(key, name, item, units=units, taken=taken, when=when),
            warehouse_restock(key, item, units, when=when),
            credit(key, name, str(dice.randint(1, 30)), channel=store, when=when),
        ]
    )


_Action = Callable[[History], Iterator[Fact]]
_FIRST: tuple[_Action, ...] = (_every_product, _shop_order, _copy, _movement)
_ACTIONS: tuple[_Action, ...] = (
    _item, _variant, _stored_item, _level, _level, _movement, _movement, _shop_order, _shop_order, _copy, _copy,
    _listing, _return, _return, _parcel, _parcel,
)  # fmt: skip


def _advance_everybody(facts: Facts, dice: random.Random, step: int) -> None:
    """What concerns all histories: places that are switched off and on, and sweeps."""
    if dice.random() < 0.5 or step == 0:
        system_id, location = dice.choice(_PLACES)
        facts.land([place(system_id, location, at(step * 1000), is_active=dice.random() < 0.6)])
    for system_id in _SWEPT:
        if dice.random() < 0.4:
            facts.sweep(system_id, "stock_levels", at(step * 1000 + dice.choice([5, 700])))
    if dice.random() < 0.3:
        facts.sweep("shopify_main", "orders", at(step * 1000 + 700))


def _tables(facts: Facts) -> dict[str, list[str]]:
    """The columns of every incremental model, by the table's name with its schema."""
    connectors = {system.connector for system in facts.configuration.systems.values()}
    names = [name for name, model in models_of(project_folder(), connectors).items() if not model.is_view]
    rows = facts.rows(
        "select table_schema || '.' || table_name as table, array_agg(column_name::text order by ordinal_position)"
        " filter (where column_name <> all(%s)) as columns from information_schema.columns"
        " where table_name = any(%s) and table_schema <> 'governance' group by 1",
        (list(_NO_CONTENT), names),
    )
    assert len(rows) == len(names)
    return {row["table"]: row["columns"] for row in rows}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("history_count", "step_count", "seed"),
    [
        pytest.param(40, 4, 1, id="short"),
        *(pytest.param(110, 7, seed, id=f"long-{seed}", marks=pytest.mark.nightly) for seed in (2, 3, 4)),
    ],
)
def test_what_a_build_keeps_up_to_date_is_what_a_rebuild_makes(
    postgres: EmbeddedPostgres, built_template: str, history_count: int, step_count: int, seed: int
) -> None:
    """No change is missed that reaches a row, however far from it, and none is taken in twice."""
    dice = random.Random(seed)
    aliases = {
        "shopify_main": {
            f"OLD-{number * 10:05d}": f"HV-{number * 10 + dice.randrange(PRODUCTS):05d}"
            for number in range(history_count)
        }
    }
    histories = [History(number, random.Random(f"{seed}-{number}")) for number in range(history_count)]
    with fresh_facts(postgres, built_template) as facts:
        booking = OrderBooking(booked_in="netsuite", taken_by=("shopify_main", "shopify_outlet"))
        telling = FulfilmentConfirmation.model_validate({"channels": CONFIRMED})
        changes = {"sku_aliases": aliases, "orders": booking, "fulfilment": telling}
        facts.declare(handling_tenant().model_copy(update=changes))
        facts.build()
        for step in range(step_count):
            landed = [fact for history in histories for fact in history.advance()]
            dice.shuffle(landed)
            facts.land(landed)
            _advance_everybody(facts, dice, step)
            assert facts.build().is_full is False
        tables = _tables(facts)
        facts.execute("create schema kept")
        for table in tables:
            facts.execute(f"create table kept.{table.split('.')[1]} as table {table}")
        facts.build(is_full_refresh=True)
        different = {table: _difference(facts, table, columns) for table, columns in tables.items()}
        empty = [
            table for table in tables if facts.row(f"select not exists (select from {table}) as is_empty")["is_empty"]
        ]
    assert {table: rows for table, rows in different.items() if rows} == {}
    assert empty == [], "nothing was compared"


def _difference(facts: Facts, table: str, columns: list[str]) -> list[dict[str, object]]:
    """A few of the rows that only the kept table has, or only the rebuilt one."""
    names, kept = ", ".join(columns), f"kept.{table.split('.')[1]}"
    sides = {"kept": (kept, table), "rebuilt": (table, kept)}
    return [
        {"which": which, **row}
        for which, (one, other) in sides.items()
        for row in facts.rows(f"select {names} from {one} except all select {names} from {other} limit 3")
    ]
