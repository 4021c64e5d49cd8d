"""`returnProcess`: deal with units of an open return, and give money back for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trueup.sandbox.vendors.shopify.money_objects import minor_of
from trueup.sandbox.vendors.shopify.order_payments import RefundTerms
from trueup.sandbox.vendors.shopify.order_writes import OrderWrites, Refused, WriteError
from trueup.sandbox.vendors.shopify.payments import Transaction
from trueup.sandbox.vendors.shopify.refund_writes import RefundWrites, check_ceiling, shipping_of
from trueup.sandbox.vendors.shopify.return_books import Outcome, Processing
from trueup.sandbox.vendors.shopify.returns import ExchangeLine, Return, ReturnLine, ReverseLine
from trueup.sandbox.world.money import Amounts


@dataclass(frozen=True, slots=True)
class ReturnPayload:
    """The answer of `returnProcess`."""

    returned: Return | None
    user_errors: Sequence[WriteError] = ()


class ReturnWrites:
    """The call over one store's books."""

    def __init__(self, writes: OrderWrites, refunds: RefundWrites) -> None:
        self._writes = writes
        self._refunds = refunds

    def process(self, asked: Mapping[str, Any]) -> ReturnPayload:
        """All that the call names, or nothing of it."""
        books, now = self._writes.books, self._writes.now()
        try:
            found = self._open_return(asked["returnId"])
            what = self._processing(found, asked)
            transfer = (asked.get("financialTransfer") or {}).get("issueRefund") or {}
            payments = self._payments(found, transfer.get("orderTransactions") or ())
            check_ceiling(found.order, payments, is_open=bool(transfer.get("allowOverRefunding")))
            shipping = self._shipping(found, asked.get("refundShipping") or {})
            duties = self._refunds.duties(asked.get("refundDuties") or ())
        except Refused as refused:
            error = refused.error
            return ReturnPayload(None, [WriteError(error.field, error.message, error.code or "INVALID")])
        terms = RefundTerms(shipping, duties, payments, asked.get("note"))
        books.return_books.process(found, what, now, terms)
        books.touch(found.order, now)
        self._writes.follow(found.order, {})
        return ReturnPayload(found)

    def _open_return(self, return_id: str) -> Return:
        found = self._writes.books.by_id.get(return_id)
        if not isinstance(found, Return):
            raise Refused(["input", "returnId"], "Return does not exist.", "NOT_FOUND")
        self._writes.order(found.order.id, ["input", "returnId"], "NOT_FOUND")
        if found.status != "OPEN":
            raise Refused(["input", "returnId"], "Return is not open.", "INVALID_STATE")
        return found

    def _processing(self, found: Return, asked: Mapping[str, Any]) -> Processing:
        lines: list[tuple[ReturnLine, int]] = []
        outcomes: list[Outcome] = []
        for index, each in enumerate(asked.get("returnLineItems") or ()):
            where = ["input", "returnLineItems", str(index)]
            line = next((mine for mine in found.lines if mine.id == each["id"]), None)
            if line is None:
                raise Refused([*where, "id"], "Return line item does not exist.", "NOT_FOUND")
            taken = sum(units for other, units in lines if other is line)
            if not 0 < each["quantity"] <= line.processable_quantity - taken:
                raise Refused([*where, "quantity"], "Quantity is not available for return.")
            lines.append((line, each["quantity"]))
            for number, outcome in enumerate(each.get("dispositions") or ()):
                outcomes.append(self._outcome(found, outcome, [*where, "dispositions", str(number)], outcomes))
        exchanges: list[tuple[ExchangeLine, int]] = []
        for index, each in enumerate(asked.get("exchangeLineItems") or ()):
            where = ["input", "exchangeLineItems", str(index)]
            exchange = next((mine for mine in found.exchanges if mine.id == each["id"]), None)
            if exchange is None:
                raise Refused([*where, "id"], "Exchange line item does not exist.", "NOT_FOUND")
            if not 0 < each["quantity"] <= exchange.processable_quantity:
                raise Refused([*where, "quantity"], "Quantity is not available for exchange.")
            exchanges.append((exchange, each["quantity"]))
        if not lines and not exchanges:
            raise Refused(["input"], "Nothing to process", "BLANK")
        return Processing(lines, exchanges, outcomes)

    def _outcome(
        self, found: Return, asked: Mapping[str, Any], where: Sequence[str], before: Sequence[Outcome]
    ) -> Outcome:
        line_id = asked["reverseFulfillmentOrderLineItemId"]
        line = self._writes.books.by_id.get(line_id)
        if not isinstance(line, ReverseLine) or not any(line in way.lines for way in found.reverse_orders):
            name = [*where, "reverseFulfillmentOrderLineItemId"]
            raise Refused(name, "Reverse fulfillment order line item does not exist.", "NOT_FOUND")
        taken = sum(each.quantity for each in before if each.line is line)
        if not 0 < asked["quantity"] <= line.open - taken:
            raise Refused([*where, "quantity"], "Quantity is greater than the remaining quantity.")
        kind = asked["dispositionType"]
        location = self._refunds.location(
            asked.get("locationId"), [*where, "locationId"], is_needed=kind in ("RESTOCKED", "PROCESSING_REQUIRED")
        )
        return Outcome(line, kind, asked["quantity"], None if kind == "MISSING" else location)

    @staticmethod
    def _payments(found: Return, asked: Sequence[Mapping[str, Any]]) -> list[tuple[Transaction, int]]:
        payments = []
        for index, each in enumerate(asked):
            where = ["input", "financialTransfer", "issueRefund", "orderTransactions", str(index)]
            parent = next((mine for mine in found.order.transactions if mine.id == each["parentId"]), None)
            if parent is None or parent.action not in ("SALE", "CAPTURE"):
                raise Refused([*where, "parentId"], "Parent transaction does not exist.", "NOT_FOUND")
            amount = each["transactionAmount"]
            if amount["currencyCode"] != found.order.currencies.presented:
                raise Refused([*where, "transactionAmount"], "Currency must be the order's presentment currency.")
            payments.append((parent, minor_of(amount["amount"])))
        return payments

    @staticmethod
    def _shipping(found: Return, asked: Mapping[str, Any]) -> Amounts | None:
        amount = (asked.get("shippingRefundAmount") or {}).get("amount")
        plain = {"fullRefund": asked.get("fullRefund"), "amount": amount}
        return shipping_of(found.order, plain, "amount", ["input", "refundShipping"])
