"""Returns of one store's orders: what comes back, what becomes of it, what customers get instead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from trueup.sandbox.vendors.shopify.objects import Location
from trueup.sandbox.vendors.shopify.order_payments import RefundTerms, Takeback
from trueup.sandbox.vendors.shopify.returns import (
    Disposition,
    ExchangeLine,
    Return,
    ReturnLine,
    ReverseLine,
    ReverseOrder,
)
from trueup.sandbox.vendors.shopify.shop_order import ShopOrder
from trueup.sandbox.world.entries import OrderLine, OrderReturned
from trueup.sandbox.world.order_money import LineMoney

if TYPE_CHECKING:
    from trueup.sandbox.vendors.shopify.books import ShopBooks

_NOTHING = RefundTerms()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of units that came back. `type`: as Shopify has it."""

    line: ReverseLine
    type: str
    quantity: int
    location: Location | None


@dataclass(frozen=True, slots=True)
class Processing:
    """What of a return is dealt with now: units of its lines and of what the customer gets instead."""

    lines: Sequence[tuple[ReturnLine, int]]
    exchanges: Sequence[tuple[ExchangeLine, int]] = ()
    outcomes: Sequence[Outcome] = field(default_factory=tuple)


class ReturnBooks:
    """The returns of one store."""

    def __init__(self, store: "ShopBooks") -> None:
        self._store = store

    def take_back(self, entry: OrderReturned) -> None:
        """Goods came back. The location put them on its shelf, not the store: its own system knows the stock."""
        store, now = self._store, entry.recorded_at
        order = store.orders[entry.order_name]
        wanted = {part.line_id: part.quantity for part in entry.lines}
        made = self.open(order, wanted, entry.exchanged, entry.exchanged_money or {}, now)
        if made is None:
            store.order_books.add_lines(order, entry.exchanged, entry.exchanged_money or {}, now)
        elif entry.is_refunded:
            location = store.location_at(entry.location_id)
            self.process(made, everything(made, location), now, _NOTHING)
        store.touch(order, now, is_stamped=entry.moves_timestamp)

    def open(
        self,
        order: ShopOrder,
        wanted: Mapping[str, int],
        exchanged: Sequence[OrderLine],
        exchanged_money: Mapping[str, LineMoney],
        now: datetime,
    ) -> Return | None:
        """Open a return of so many units by line; None where none of them was sent."""
        store = self._store
        lines: list[ReturnLine] = []
        for line_id, units in wanted.items():
            left = units
            for parcel in (part for sent in order.fulfillment_list for part in sent.lines):
                taken = min(left, parcel.quantity - parcel.returned)
                if parcel.line_item is order.lines[line_id] and taken:
                    parcel.returned += taken
                    left -= taken
                    lines.append(ReturnLine(store.new_side_number(), parcel, taken))
        if not lines:
            return None
        added = store.order_books.add_lines(order, exchanged, exchanged_money, now)
        exchanges = [ExchangeLine(store.new_side_number(), line, line.quantity) for line in added]
        back = [ReverseLine(store.new_side_number(), each.fulfillment_line_item, each.quantity) for each in lines]
        way = ReverseOrder(store.new_side_number(), order, back)
        made = Return(store.new_side_number(), order, now, lines, exchanges, [way])
        store.register(made, way, *lines, *exchanges, *back)
        order.return_list.append(made)
        store.notify("RETURNS_APPROVE", made)
        return made

    def process(self, returned: Return, what: Processing, now: datetime, terms: RefundTerms) -> None:
        """Deal with units of a return: they leave the order, their money goes back, what became of them is noted."""
        store = self._store
        takebacks = [
            Takeback(line.line, units, _restock_type(line, what), store.location, is_return=True)
            for line, units in what.lines
            if units
        ]
        for outcome in what.outcomes:
            self._dispose(outcome, now)
        for exchange, units in what.exchanges:
            exchange.processed_quantity += units
        for line, units in what.lines:
            line.processed_quantity += units
            line.refunded_quantity += units
        if takebacks or terms.payments or terms.shipping or terms.duties:
            refund = store.order_books.payments.refund(returned.order, takebacks, now, terms, returned)
            returned.refund_list.append(refund)
        if returned.is_processed:
            returned.closed_at = now
        store.notify("RETURNS_PROCESS", returned)

    def _dispose(self, outcome: Outcome, now: datetime) -> None:
        store = self._store
        made = Disposition(store.new_side_number(), outcome.type, outcome.quantity, outcome.location, now)
        store.register(made)
        outcome.line.dispositions.append(made)
        if outcome.type == "RESTOCKED":
            line = outcome.line.fulfillment_line_item.line_item
            store.move(line, {"available": outcome.quantity}, now)


def everything(returned: Return, location: Location) -> Processing:
    """All that is left of a return, the goods on the shelf of a location that keeps its stock elsewhere."""
    outcomes = [
        Outcome(line, "NOT_RESTOCKED", line.open, location)
        for way in returned.reverse_orders
        for line in way.lines
        if line.open
    ]
    return Processing(
        [(line, line.unprocessed_quantity) for line in returned.lines],
        [(line, line.unprocessed_quantity) for line in returned.exchanges],
        outcomes,
    )


def _restock_type(line: ReturnLine, what: Processing) -> str:
    """A refund's line says RETURN where all of its goods went on the store's shelf."""
    outcomes = [each for each in what.outcomes if each.line.fulfillment_line_item is line.fulfillment_line_item]
    is_restocked = bool(outcomes) and all(each.type == "RESTOCKED" for each in outcomes)
    return "RETURN" if is_restocked else "NO_RESTOCK"
