"""Calls that change orders: `fulfillmentCreate`, `orderCancel`, `orderClose`, `orderMarkAsPaid`.

Errors are the vendor's words where they are known: unknown fulfilment orders from a recorded answer in Microsoft's
connector (Logs/FulfillmentFailedResult.txt), several locations from BCApps#7065, states and quantities from answers
that integrators log; those of a request that is not accepted yet (BCApps#5225) are not known. Each call writes the
store's books and has the retailer follow where goods are not sent any more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trueup.sandbox.vendors.shopify.books import ShopBooks
from trueup.sandbox.vendors.shopify.fulfilments import Fulfillment, FulfillmentOrder, PlanLine, Tracking
from trueup.sandbox.vendors.shopify.jobs import Job, Jobs
from trueup.sandbox.vendors.shopify.order_books import Way
from trueup.sandbox.vendors.shopify.plans import Pick
from trueup.sandbox.vendors.shopify.shop_order import ShopOrder
from trueup.sandbox.world.world import OrderDesk

_SENDABLE = frozenset({"OPEN", "IN_PROGRESS"})


@dataclass(frozen=True, slots=True)
class WriteError:
    """Why a call was refused. `code` None: this payload's errors have none."""

    field: Sequence[str] | None
    message: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class FulfillmentPayload:
    """The answer of `fulfillmentCreate`."""

    fulfillment: Fulfillment | None
    user_errors: Sequence[WriteError] = ()


@dataclass(frozen=True, slots=True)
class CancelPayload:
    """The answer of `orderCancel`."""

    job: Job | None
    order_cancel_user_errors: Sequence[WriteError] = ()

    @property
    def user_errors(self) -> Sequence[WriteError]:
        return self.order_cancel_user_errors


@dataclass(frozen=True, slots=True)
class OrderPayload:
    """The answer of `orderClose` and `orderMarkAsPaid`."""

    order: ShopOrder | None
    user_errors: Sequence[WriteError] = ()


class Refused(Exception):
    """The call cannot be carried out; nothing was written."""

    def __init__(self, field: Sequence[str] | None, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.error = WriteError(field, message, code)


class OrderWrites:
    """The calls over one store's books. `desk` None: nobody at the retailer follows."""

    def __init__(
        self,
        books: ShopBooks,
        now: Callable[[], datetime],
        desk: OrderDesk | None,
        sees: Callable[[ShopOrder], bool],
        jobs: Jobs,
    ) -> None:
        self.books = books
        self.now = now
        self.desk = desk
        self._sees = sees
        self._jobs = jobs

    def order(self, order_id: str, field: Sequence[str], code: str | None = None) -> ShopOrder:
        """The order that the app may see; `Refused` where there is none."""
        found = self.books.by_id.get(order_id)
        if not isinstance(found, ShopOrder) or not self._sees(found):
            raise Refused(field, "Order does not exist", code)
        return found

    def fulfil(self, asked: Mapping[str, Any]) -> FulfillmentPayload:
        """Tell the store of a parcel: all the fulfilment orders named, from one location."""
        now = self.now()
        try:
            picks = self._picks(asked["lineItemsByFulfillmentOrder"])
        except Refused as refused:
            return FulfillmentPayload(None, [refused.error])
        order = picks[0].plan.order
        parcel = self.books.order_books.fulfil(order, picks, _trackings(asked.get("trackingInfo") or {}), now)
        self.books.touch(order, now)
        return FulfillmentPayload(parcel)

    def _picks(self, asked: Sequence[Mapping[str, Any]]) -> list[Pick]:
        where = ["fulfillment"]
        plans = [self.books.by_id.get(each["fulfillmentOrderId"]) for each in asked]
        found = [plan for plan in plans if isinstance(plan, FulfillmentOrder) and self._sees(plan.order)]
        if not asked or len(found) < len(asked):
            raise Refused(where, "Fulfillment order does not exist.")
        for plan in found:
            if plan.status not in _SENDABLE:
                state = plan.status.lower()
                raise Refused(where, f"Fulfillment order {plan.number} has an unfulfillable status= {state}.")
            if plan.is_requested:
                raise Refused(where, f"Fulfillment order {plan.number} has an unaccepted fulfillment request.")
        if len({plan.order.number for plan in found}) > 1:
            raise Refused(where, "All fulfillment orders must belong to the same order")
        if len({plan.location.number for plan in found}) > 1:
            raise Refused(where, "All fulfillment orders must be assigned to a single location")
        picks: list[Pick] = []
        for plan, each in zip(found, asked, strict=True):
            picks += _wanted(plan, each.get("fulfillmentOrderLineItems"))
        return picks

    def cancel(self, asked: Mapping[str, Any]) -> CancelPayload:
        """Cancel an order: what was not sent will not be, and what was paid for it goes back where that is asked."""
        now = self.now()
        try:
            order = self._cancellable(asked["orderId"])
        except Refused as refused:
            return CancelPayload(None, [refused.error])
        method = asked.get("refundMethod") or {}
        is_refunded = bool(asked.get("refund") or method.get("originalPaymentMethodsRefund"))
        way = Way(is_restocked=asked["restock"], is_refunded=is_refunded)

        def carry_out(moment: datetime) -> None:
            self.books.order_books.cancel_whole(order, moment, way, asked["reason"])
            order.staff_note = asked.get("staffNote")
            self.books.touch(order, moment)
            self.follow(order, None)

        return CancelPayload(self._jobs.start(self.books, now, carry_out))

    def _cancellable(self, order_id: str) -> ShopOrder:
        order = self.order(order_id, ["orderId"], "NOT_FOUND")
        if order.cancelled_at is not None:
            raise Refused(["orderId"], "Order has already been canceled", "INVALID")
        if order.display_fulfillment_status == "FULFILLED":
            raise Refused(["orderId"], "Cannot cancel a paid and fulfilled order", "INVALID")
        return order

    def follow(self, order: ShopOrder, lines: Mapping[str, int] | None) -> None:
        """Have the retailer send no more of an order (`lines`: of these so many units), and pending money move."""
        if self.desk is not None:
            if lines is None or lines:
                self.desk.give_up(order.name, lines)
            self.desk.complete_payments_later(self.books.channel.system_id, order.name)

    def close(self, order_id: str) -> OrderPayload:
        """Put an order into the archive."""
        return self._simply(order_id, lambda order, now: _close(order, now))

    def mark_as_paid(self, order_id: str) -> OrderPayload:
        """What is owed came in some other way."""
        return self._simply(order_id, self._paid)

    def _paid(self, order: ShopOrder, now: datetime) -> None:
        if not order.can_mark_as_paid:
            raise Refused(["id"], "Order cannot be marked as paid.")
        self.books.order_books.payments.pay_rest(order, now)

    def _simply(self, order_id: str, change: Callable[[ShopOrder, datetime], None]) -> OrderPayload:
        now = self.now()
        try:
            order = self.order(order_id, ["id"])
            change(order, now)
        except Refused as refused:
            return OrderPayload(None, [refused.error])
        self.books.touch(order, now)
        return OrderPayload(order)


def _close(order: ShopOrder, now: datetime) -> None:
    if order.closed_at is None:
        order.closed_at = now


def _wanted(plan: FulfillmentOrder, asked: Sequence[Mapping[str, Any]] | None) -> list[Pick]:
    """The units of a plan that a parcel has: those named, all that remain where none are."""
    if not asked:
        return [Pick(plan, line, line.remaining_quantity) for line in plan.lines if line.remaining_quantity]
    left = {line.id: line.remaining_quantity for line in plan.lines}
    lines: dict[str, PlanLine] = {line.id: line for line in plan.lines}
    picks = []
    for each in asked:
        units = each["quantity"]
        if units <= 0 or units > left.get(each["id"], 0):
            raise Refused(["fulfillment"], "Invalid fulfillment order line item quantity requested.")
        left[each["id"]] -= units
        picks.append(Pick(plan, lines[each["id"]], units))
    return picks


def _trackings(asked: Mapping[str, Any]) -> list[Tracking]:
    """Shopify takes one number and address, or lists of them."""
    numbers = asked.get("numbers") or ([asked["number"]] if asked.get("number") else [])
    urls = asked.get("urls") or ([asked["url"]] if asked.get("url") else [])
    padded = [*urls, *(None for _ in numbers[len(urls) :])]
    return [Tracking(asked.get("company"), number, url) for number, url in zip(numbers, padded, strict=False)]
