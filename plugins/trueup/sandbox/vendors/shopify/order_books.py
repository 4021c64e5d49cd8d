"""What happens to the orders of one store, whether the world's entries or the API's calls say so.

Stock moves at the store's listing location, whichever location sends the goods: the sandbox's stores list there only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from trueup.sandbox.vendors.shopify.buyers import invent_customer
from trueup.sandbox.vendors.shopify.fulfilments import FulfilledLine, Fulfillment, Tracking
from trueup.sandbox.vendors.shopify.money_objects import DutyLine, ShippingLine
from trueup.sandbox.vendors.shopify.order_lines import Line
from trueup.sandbox.vendors.shopify.order_payments import OrderPayments, RefundTerms, Takeback
from trueup.sandbox.vendors.shopify.plans import Pick, Plans
from trueup.sandbox.vendors.shopify.shop_order import ShopOrder
from trueup.sandbox.world.entries import (
    AmountRefunded,
    LineQuantity,
    Order,
    OrderCancelled,
    OrderEdited,
    OrderEntered,
    OrderLine,
    OrderShipped,
    PaymentsCompleted,
    PlanChange,
    PlanChanged,
    kind_of,
)
from trueup.sandbox.world.money import Amounts, Currencies, total
from trueup.sandbox.world.order_money import LineMoney, OrderMoney, plain_money

if TYPE_CHECKING:
    from trueup.sandbox.vendors.shopify.books import ShopBooks

_FIRST_CUSTOMER = 8_000_000_000


@dataclass(frozen=True, slots=True)
class Way:
    """How units are taken off an order. `is_stamped` False: the stock's timestamp does not say so."""

    is_restocked: bool = True
    is_refunded: bool = True
    is_stamped: bool = True


class OrderBooks:
    """The orders of one store."""

    def __init__(self, store: "ShopBooks") -> None:
        self._store = store
        self.plans = Plans(store)
        self.payments = OrderPayments(store)

    # -- placed --------------------------------------------------------------------------------------------------

    def enter(self, entry: OrderEntered, *, is_stamped: bool) -> ShopOrder:
        """A customer placed an order."""
        store, now, ordered = self._store, entry.recorded_at, entry.order
        money = ordered.money or _plain(ordered)
        lines = {line.line_id: self._line(line, money.lines[line.line_id], money) for line in ordered.lines}
        customer = invent_customer(ordered.name, ordered.country, _FIRST_CUSTOMER)
        order = ShopOrder(store.new_number(), ordered.name, now, now, ordered.currency, lines, money, customer)
        order.shipping_lines = [ShippingLine(store.new_side_number(), part, money) for part in money.shipping]
        store.orders[order.name] = order
        store.register(order, *lines.values(), *order.shipping_lines)
        self.payments.start(order, money.payments, now)
        routed = [(lines[line_id], store.location_at(name), units) for line_id, name, units in entry.routed]
        unrouted = [(line, store.location, line.quantity) for line in lines.values()]
        self.plans.make(order, routed or unrouted, now)
        for line in lines.values():
            store.move(line, {"available": -line.quantity, "committed": line.quantity}, now, is_stamped=is_stamped)
        store.notify("ORDERS_CREATE", order)
        return order

    def _line(self, ordered: OrderLine, money: LineMoney, terms: OrderMoney) -> Line:
        store = self._store
        variant = None if ordered.sku is None else store.variants.get(ordered.sku)
        number = store.new_number()
        made = Line(number, ordered.code, ordered.title, ordered.quantity, variant, money, terms, store.location)
        made.duties = [DutyLine(store.new_side_number(), duty, terms.currencies) for duty in money.duties]
        store.register(*made.duties)
        return made

    def add_lines(
        self, order: ShopOrder, ordered: Sequence[OrderLine], money: Mapping[str, LineMoney], now: datetime
    ) -> list[Line]:
        """Lines come to an order after it was placed."""
        added = []
        for each in ordered:
            line = order.lines[each.line_id] = self._line(each, money[each.line_id], order.money)
            self._store.register(line)
            self._store.move(line, {"available": -line.quantity, "committed": line.quantity}, now)
            added.append(line)
        self.plans.make(order, [(line, self._store.location, line.quantity) for line in added], now)
        return added

    # -- sent ----------------------------------------------------------------------------------------------------

    def ship(self, entry: OrderShipped) -> None:
        """A location sent goods; what the store knows already, from a call over the API, stays as it is."""
        order, now = self._store.orders[entry.order_name], entry.recorded_at
        location = self._store.location_at(entry.location_id)
        picks: list[Pick] = []
        for part in entry.lines:
            picks += self.plans.pick(order, order.lines[part.line_id], part.quantity, location)
        number = entry.tracking_number
        tracking = Tracking("Royal Mail", number, f"https://tracking.example.com/{number}")
        for each in dict.fromkeys(pick.plan.location.number for pick in picks):
            here = [pick for pick in picks if pick.plan.location.number == each]
            self.fulfil(order, here, [tracking], now, is_stamped=entry.moves_timestamp)
        self._store.touch(order, now, is_stamped=entry.moves_timestamp)

    def fulfil(
        self,
        order: ShopOrder,
        picks: Sequence[Pick],
        trackings: list[Tracking],
        now: datetime,
        *,
        is_stamped: bool = True,
    ) -> Fulfillment:
        """One parcel from one location; the store takes the money that was authorised."""
        store, shipped = self._store, []
        plans = list({pick.plan.number: pick.plan for pick in picks}.values())
        for pick in picks:
            line = pick.line.line_item
            store.move(line, {"committed": -pick.units}, now, is_stamped=is_stamped)
            shipped.append(FulfilledLine(store.new_number(), line, pick.units, line.fulfilled))
            line.fulfilled += pick.units
            pick.line.remaining_quantity -= pick.units
            pick.plan.updated_at = now
        parcel = Fulfillment(store.new_number(), order, plans[0].location, now, shipped, plans, trackings)
        for plan in plans:
            plan.fulfillment_list.append(parcel)
        store.register(parcel, *shipped)
        order.fulfillment_list.append(parcel)
        self.payments.capture(order, now)
        store.notify("FULFILLMENTS_CREATE", parcel)
        return parcel

    # -- taken off -----------------------------------------------------------------------------------------------

    def cancel(self, entry: OrderCancelled) -> None:
        """Units will not be sent. Of a whole order, everything that is no goods goes with them."""
        order, now = self._store.orders[entry.order_name], entry.recorded_at
        way = Way(is_restocked=entry.is_restocked, is_stamped=entry.moves_timestamp)
        if entry.is_whole:
            self.cancel_whole(order, now, way, "CUSTOMER")
        else:
            wanted = [(order.lines[part.line_id], part.quantity) for part in entry.lines]
            self._cancel_units(order, wanted, now, way, RefundTerms())
        self._store.touch(order, now, is_stamped=entry.moves_timestamp)

    def cancel_whole(self, order: ShopOrder, now: datetime, way: Way, reason: str) -> None:
        """Nothing more is sent, the order is off, and the money for what was not sent goes back."""
        if order.cancelled_at is not None:
            return
        unsent = [(line, line.unfulfilled_quantity) for line in order.lines.values()]
        shipping = total(line.current_discounted_price_set for line in order.shipping_lines)
        terms = RefundTerms(shipping, payments=None if way.is_refunded else ())
        self._cancel_units(order, unsent, now, way, terms)
        order.cancelled_at, order.cancel_reason = now, reason
        self.payments.release(order, now)
        self._store.notify("ORDERS_CANCELLED", order)

    def _cancel_units(
        self, order: ShopOrder, wanted: Sequence[tuple[Line, int]], now: datetime, way: Way, terms: RefundTerms
    ) -> None:
        takebacks, duties = [], []
        for line, units in wanted:
            unsent = min(units, line.unfulfilled_quantity)
            if unsent:
                kind = "CANCEL" if way.is_restocked and line.requires_shipping else "NO_RESTOCK"
                takebacks.append(Takeback(line, unsent, kind, self._store.location))
                duties += duties_of(line, unsent)
                self.free(order, line, unsent, now, way)
        if takebacks or terms.shipping:
            self.payments.refund(order, takebacks, now, replace(terms, duties=duties))

    def free(self, order: ShopOrder, line: Line, units: int, now: datetime, way: Way) -> None:
        """Units that were promised are not any more: the plan and the stock follow."""
        self.plans.take_off(order, line, units, now)
        changes = {"committed": -units, "available": units if way.is_restocked else 0}
        self._store.move(line, changes, now, is_stamped=way.is_stamped)

    # -- changed -------------------------------------------------------------------------------------------------

    def edit(self, entry: OrderEdited) -> None:
        """Staff took units off or added lines. Money that is owed because of it stays owed."""
        order, now = self._store.orders[entry.order_name], entry.recorded_at
        for part in entry.removed:
            self._remove(order, part, now)
        self.add_lines(order, entry.added, entry.added_money or {}, now)
        order.edited = True
        self._store.notify("ORDERS_EDITED", order)
        self._store.touch(order, now)

    def _remove(self, order: ShopOrder, part: LineQuantity, now: datetime) -> None:
        line = order.lines[part.line_id]
        units = min(part.quantity, line.unfulfilled_quantity)
        for duty, amount in duties_of(line, units):
            duty.refunded += amount
        line.cancelled += units
        self.free(order, line, units, now, Way())

    def give_back(self, entry: AmountRefunded) -> None:
        """Staff gave money back for nothing."""
        order, now = self._store.orders[entry.order_name], entry.recorded_at
        left, chosen = entry.amount.presented, []
        for payment in reversed(order.transactions):
            part = min(left, payment.refundable.presented)
            if part:
                chosen.append((payment, part))
                left -= part
        if chosen:
            self.payments.refund(order, (), now, RefundTerms(payments=chosen, note=entry.reason, reason="CUSTOMER"))
            self._store.touch(order, now)

    def complete_payments(self, entry: PaymentsCompleted) -> None:
        """The gateways carried out what was pending."""
        order = self._store.orders.get(entry.order_name)
        if order is not None and self.payments.complete(order):
            self._store.touch(order, entry.recorded_at)

    def change_plan(self, entry: PlanChanged) -> None:
        """Staff changed who sends what."""
        order, now = self._store.orders[entry.order_name], entry.recorded_at
        location = self._store.location_at(entry.location_id)
        for plan in self.plans.open_at(order, location):
            self._change(plan.number, order, entry, now)
        self._store.touch(order, now)

    def _change(self, number: int, order: ShopOrder, entry: PlanChanged, now: datetime) -> None:
        plan = next((each for each in order.plans if each.number == number), None)
        if plan is None:
            return
        match entry.change:
            case PlanChange.HOLD:
                self.plans.hold(plan, entry.reason, now)
            case PlanChange.RELEASE:
                self.plans.release(plan, now)
            case PlanChange.MOVE:
                self.plans.move(plan, self._store.location_at(entry.to_location_id or entry.location_id), now)
            case PlanChange.SPLIT:
                self.plans.split(plan, now)
            case PlanChange.MERGE:
                self.plans.merge(plan, now)
            case PlanChange.REQUEST | PlanChange.ACCEPT:
                self.plans.request(plan, now, is_accepted=entry.change is PlanChange.ACCEPT)


def duties_of(line: Line, units: int) -> list[tuple[DutyLine, Amounts]]:
    """What of a line's duties goes back with its next units, when they are not sent."""
    left = line.current_quantity
    if not units:
        return []
    return [(duty, _part(duty.left, units, left)) for duty in line.duties if duty.left]


def _part(amount: Amounts, units: int, of: int) -> Amounts:
    return Amounts(amount.shop * units // of, amount.presented * units // of)


def _plain(order: Order) -> OrderMoney:
    parts = ((line.line_id, line.unit_price_minor, line.quantity, kind_of(line)) for line in order.lines)
    return plain_money(Currencies(order.currency, order.currency), parts)
