"""Calls that give money back: `refundCreate` and `returnProcess`.

Amounts are in the customer's currency, as Shopify wants them (RefundInput.currency). Words of refusals are from answers
that integrators log; the published schema has none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trueup.sandbox.vendors.shopify.money_objects import DutyLine, decimal_text, minor_of
from trueup.sandbox.vendors.shopify.mutations import Ledger
from trueup.sandbox.vendors.shopify.objects import Location
from trueup.sandbox.vendors.shopify.order_books import Way
from trueup.sandbox.vendors.shopify.order_lines import Line
from trueup.sandbox.vendors.shopify.order_payments import RefundTerms, Takeback
from trueup.sandbox.vendors.shopify.order_writes import OrderWrites, Refused, WriteError
from trueup.sandbox.vendors.shopify.payments import Transaction
from trueup.sandbox.vendors.shopify.refunds import Refund
from trueup.sandbox.vendors.shopify.shop_order import ShopOrder
from trueup.sandbox.world.money import Amounts, total


@dataclass(frozen=True, slots=True)
class RefundPayload:
    """The answer of `refundCreate`."""

    refund: Refund | None
    user_errors: Sequence[WriteError] = ()

    @property
    def order(self) -> ShopOrder | None:
        return None if self.refund is None else self.refund.order


class RefundLedger(Ledger[RefundPayload]):
    """The keys of `refundCreate`."""

    def __init__(self) -> None:
        super().__init__(lambda _, message: RefundPayload(None, [WriteError(None, message)]))


class RefundWrites:
    """The calls over one store's books."""

    def __init__(self, writes: OrderWrites) -> None:
        self._writes = writes

    def refund(self, asked: Mapping[str, Any]) -> RefundPayload:
        """Refund lines, shipping, duties; the money is what the transactions say."""
        books, now = self._writes.books, self._writes.now()
        try:
            order = self._writes.order(asked["orderId"], ["orderId"])
            _check_currency(order, asked.get("currency"))
            takebacks = self._takebacks(order, asked.get("refundLineItems") or ())
            shipping = shipping_of(order, asked.get("shipping") or {}, "amount", ["shipping"])
            payments = payments_of(order, asked.get("transactions") or ())
            check_ceiling(order, payments, is_open=bool(asked.get("allowOverRefunding")))
            duties = self.duties(asked.get("refundDuties") or ())
            _check_something((takebacks, shipping, payments, duties))
        except Refused as refused:
            return RefundPayload(None, [refused.error])
        given_up = self._free(order, takebacks)
        reason = asked.get("discrepancyReason") or "REFUND_DISCREPANCY"
        name = "REFUND_DISCREPANCY" if reason == "OTHER" else reason
        terms = RefundTerms(shipping, duties, payments, asked.get("note"), name)
        made = books.order_books.payments.refund(order, takebacks, now, terms)
        books.touch(order, now)
        self._writes.follow(order, given_up)
        return RefundPayload(made)

    def _takebacks(self, order: ShopOrder, asked: Sequence[Mapping[str, Any]]) -> list[Takeback]:
        found: list[Takeback] = []
        for index, each in enumerate(asked):
            where = ["refundLineItems", str(index)]
            line = self._writes.books.by_id.get(each["lineItemId"])
            if not isinstance(line, Line) or line not in order.lines.values():
                raise Refused([*where, "lineItemId"], "Line item does not exist")
            kind, units = each.get("restockType") or "NO_RESTOCK", each["quantity"]
            taken = sum(other.units for other in found if other.line is line)
            limit = {"CANCEL": line.unfulfilled_quantity, "RETURN": line.fulfilled - line.returned}
            if units <= 0 or taken + units > min(line.current_quantity, limit.get(kind, line.current_quantity)):
                raise Refused([*where, "quantity"], "Quantity cannot refund more items than were purchased")
            location = self.location(each.get("locationId"), [*where, "locationId"], is_needed=kind != "NO_RESTOCK")
            found.append(Takeback(line, units, kind, location))
        return found

    def location(self, asked: str | None, where: Sequence[str], *, is_needed: bool) -> Location:
        """The location named; the store's own where none need be."""
        found = self._writes.books.by_id.get(asked or "")
        if isinstance(found, Location):
            return found
        if asked is not None or is_needed:
            raise Refused(where, "Location does not exist" if asked else "Location is required to restock items")
        return self._writes.books.location

    def duties(self, asked: Sequence[Mapping[str, Any]]) -> list[tuple[DutyLine, Amounts]]:
        """What is left of the duties named: all of it, or the share of the units that were given back."""
        found = []
        for index, each in enumerate(asked):
            duty = self._writes.books.by_id.get(each["dutyId"])
            if not isinstance(duty, DutyLine):
                raise Refused(["refundDuties", str(index), "dutyId"], "Duty does not exist")
            found.append((duty, duty.left))
        return found

    def _free(self, order: ShopOrder, takebacks: Sequence[Takeback]) -> dict[str, int]:
        """Stock follows the refund's lines; the units that will not be sent, by the world's line."""
        books, now, given_up = self._writes.books, self._writes.now(), dict[str, int]()
        names = {line.number: line_id for line_id, line in order.lines.items()}
        for each in takebacks:
            if each.restock_type == "RETURN":
                books.move(each.line, {"available": each.units}, now)
                continue
            unsent = min(each.units, each.line.unfulfilled_quantity)
            if unsent:
                way = Way(is_restocked=each.restock_type == "CANCEL")
                books.order_books.free(order, each.line, unsent, now, way)
                name = names[each.line.number]
                given_up[name] = given_up.get(name, 0) + unsent
        return given_up


def _check_something(parts: Sequence[object]) -> None:
    if not any(parts):
        raise Refused(None, "Refund must have something to refund")


def _check_currency(order: ShopOrder, asked: str | None) -> None:
    wanted = order.currencies.presented
    if asked is None and wanted == order.currencies.shop:
        return
    if asked != wanted:
        raise Refused(["currency"], f"Currency must be the order's presentment currency, {wanted}")


def shipping_of(order: ShopOrder, asked: Mapping[str, Any], amount: str, where: Sequence[str]) -> Amounts | None:
    """What of the shipping goes back; None where nothing does. `amount`: the name of the amount's field."""
    left = total(line.current_discounted_price_set for line in order.shipping_lines)
    if asked.get("fullRefund"):
        return left or None
    if asked.get(amount) is None:
        return None
    presented = minor_of(asked[amount])
    if presented > left.presented:
        raise Refused([*where, amount], "Refund shipping amount exceeds what is left of the shipping")
    return left if presented == left.presented else order.currencies.of_presented(presented).within(left)


def payments_of(order: ShopOrder, asked: Sequence[Mapping[str, Any]]) -> list[tuple[Transaction, int]]:
    """Which payments give back how much."""
    found: list[tuple[Transaction, int]] = []
    for index, each in enumerate(asked):
        where = ["transactions", str(index)]
        if each["kind"] != "REFUND":
            raise Refused([*where, "kind"], "Transaction kind must be refund")
        parent = _parent(order, each)
        if parent is None:
            raise Refused([*where, "parentId"], "Parent transaction does not exist")
        found.append((parent, minor_of(each["amount"])))
    return found


def _parent(order: ShopOrder, asked: Mapping[str, Any]) -> Transaction | None:
    for each in order.transactions:
        is_named = each.id == asked["parentId"] if asked.get("parentId") else each.gateway == asked["gateway"]
        if is_named and each.action in ("SALE", "CAPTURE") and each.is_good:
            return each
    return None


def check_ceiling(order: ShopOrder, payments: Sequence[tuple[Transaction, int]], *, is_open: bool) -> None:
    """No more goes back than came in, of any payment, unless the caller opens the ceiling."""
    asked: dict[int, int] = {}
    for index, (payment, amount) in enumerate(payments):
        asked[payment.number] = asked.get(payment.number, 0) + amount
        if amount <= 0:
            raise Refused(["transactions", str(index), "amount"], "Amount must be greater than zero")
        if asked[payment.number] > payment.refundable.presented and not is_open:
            whole, net = sum(each for _, each in payments), order.totals.net_payment_set.presented
            words = f"Refund amount ${money_text(whole)} is greater than net payment received ${money_text(net)}"
            if whole <= net:
                left = money_text(payment.refundable.presented)
                words = f"Refund amount is greater than what is left of the payment, {left}"
            raise Refused(None, words)


def money_text(minor: int) -> str:
    """With two decimals, as in sentences."""
    whole, _, cents = decimal_text(minor).partition(".")
    return f"{whole}.{cents.ljust(2, '0')}"
