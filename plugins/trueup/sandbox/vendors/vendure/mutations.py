"""What Vendure's Admin API changes of an order, and how it says no.

Each refusal is a member of the mutation's union, as the services of @vendure/core 3.7.3 return it; what they throw is
a `GraphQLError` with its code. A mutation that returns an error keeps what it had written before it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from graphql import GraphQLError

from trueup.sandbox.vendors.shop_books import ShopOrder
from trueup.sandbox.vendors.vendure import objects
from trueup.sandbox.vendors.vendure.books import PAYS_BACK, Account, Fulfilment, Payment, Refund, VendureBooks

Answer = Mapping[str, Any]
_TOO_EARLY: Final = ("AddingItems", "ArrangingPayment", "PaymentAuthorized")


class Mutations:
    """The writes of one shop. `location_id`: where its stock is; `now`: the world's clock."""

    def __init__(self, books: VendureBooks, location_id: str, now: Callable[[], datetime]) -> None:
        self._books = books
        self._location_id = location_id
        self._now = now

    def add_fulfilment(self, asked: Mapping[str, Any]) -> Answer:
        """`addFulfillmentToOrder`: the new fulfilment is Pending, and its units have left the stock."""
        lines = asked["lines"]
        if not sum(line["quantity"] for line in lines):
            return _error("EmptyOrderLineSelectionError", "At least one OrderLine must be specified")
        order, units = self._lines(lines)
        account = self._books.accounts[order.name]
        for line_id, count in units.items():
            if account.bill.lines[line_id].quantity - account.fulfilled(line_id) < count:
                return _error("ItemsAlreadyFulfilledError", "One or more OrderItems are already part of a Fulfillment")
        held = self._books.held()
        for line_id, count in units.items():
            stocked = order.lines[line_id].stocked
            on_hand = 0 if stocked is None else stocked.on_hand + held.get(stocked.product.sku, 0)
            if stocked is not None and on_hand < count:
                title = stocked.product.title
                words = f'Cannot create a Fulfillment as "{title}" has insufficient stockOnHand ({on_hand})'
                number = objects.variant_id(stocked)
                return _error(
                    "InsufficientStockOnHandError", words,
                    productVariantId=number, productVariantName=title, stockOnHand=on_hand,
                )  # fmt: skip
        if asked["handler"]["code"] != "manual-fulfillment":
            return _error("InvalidFulfillmentHandlerError", "The FulfillmentHandler code is not valid")
        named = {each["name"]: each["value"] for each in asked["handler"]["arguments"]}
        at = self._now()
        made = Fulfilment(
            next(self._books.numbers), at, at, units, named.get("method", ""), named.get("trackingCode", "")
        )
        account.fulfilments.append(made)
        for line_id, count in units.items():
            order.lines[line_id].shipped += count
            account.reported[line_id] += count
        return objects.fulfilment(made, order)

    def move_fulfilment(self, number: str, state: str) -> Answer:
        """`transitionFulfillmentToState`: the order's state follows."""
        for order in self._books.orders.values():
            account = self._books.accounts[order.name]
            for each in account.fulfilments:
                if str(each.number) == number:
                    return self._move(order, account, each, state)
        raise _not_found("Fulfillment", number)

    def _move(self, order: ShopOrder, account: Account, moved: Fulfilment, state: str) -> Answer:
        if state not in objects.FULFILMENT_STEPS[moved.state]:
            words = f'Cannot transition Fulfillment from "{moved.state}" to "{state}"'
            return _transition("FulfillmentStateTransitionError", words, moved.state, state)
        moved.state, moved.updated_at = state, self._now()
        if state == "Shipped":
            account.arrive()
        elif state == "Delivered":
            left = [line_id for line_id, line in account.bill.lines.items() if line.quantity]
            there = frozenset({"Delivered"})
            is_whole = all(
                account.fulfilled(line_id, states=there) >= account.bill.lines[line_id].quantity for line_id in left
            )
            following = "Delivered" if is_whole else "PartiallyDelivered"
            if following in objects.ORDER_STEPS[account.state]:
                account.state = following
        else:
            for line_id, count in moved.units.items():
                order.lines[line_id].shipped -= count
                account.reported[line_id] -= count
        return objects.fulfilment(moved, order)

    def cancel(self, asked: Mapping[str, Any]) -> Answer:
        """`cancelOrder`: takes units off, also such as were sent, and cancels the order of which none is left."""
        order = self._books.orders.get(asked["orderId"])
        if order is None:
            raise _not_found("Order", asked["orderId"])
        account = self._books.accounts[order.name]
        lines = asked.get("lines")
        if lines is None:
            units = {line_id: line.quantity for line_id, line in account.bill.lines.items()}
        else:
            if not sum(line["quantity"] for line in lines):
                return _error("EmptyOrderLineSelectionError", "At least one OrderLine must be specified")
            owner, units = self._lines(lines)
            if owner is not order:
                return _error("MultipleOrderError", "Cannot create a Fulfillment for lines in multiple Orders")
        if not sum(units.values()):
            return _error("EmptyOrderLineSelectionError", "At least one OrderLine must be specified")
        for line_id, count in units.items():
            if account.bill.lines[line_id].quantity < count:
                words = "The specified quantity is greater than the available OrderItems"
                return _error("QuantityTooGreatError", words)
        for line_id, count in units.items():
            self._take_off(order, account, line_id, count)
        if asked.get("cancelShipping"):
            account.bill.cancel_shipping()
        order.modified_at = self._now()
        if any(line.quantity for line in account.bill.lines.values()):
            return objects.order(order, account, self._location_id)
        if "Cancelled" not in objects.ORDER_STEPS[account.state]:
            words = f'Cannot transition Order from "{account.state}" to "Cancelled"'
            return _transition("OrderStateTransitionError", words, account.state, "Cancelled")
        account.state, order.is_cancelled = "Cancelled", True
        return objects.order(order, account, self._location_id)

    def _take_off(self, order: ShopOrder, account: Account, line_id: str, count: int) -> None:
        account.bill.take_off(line_id, count)
        line = order.lines[line_id]
        line.given_back += count
        account.cancelled[line_id] += count
        if line.stocked is not None:
            line.stocked.on_hand += count

    def refund(self, asked: Mapping[str, Any]) -> Answer:
        """`refundOrder`: by amount no more than is left of the payment; by lines at the price that they have now."""
        lines = asked.get("lines") or ()
        if not sum(line["quantity"] for line in lines) and asked.get("shipping") == 0 and not asked.get("amount"):
            return _error("NothingToRefundError", "Nothing to refund")
        found = self._payment(asked["paymentId"])
        units: dict[str, int] = {}
        if lines:
            owner, units = self._lines(lines)
            if owner is not found[0]:
                words = "The Payment and OrderLines do not belong to the same Order"
                return _error("PaymentOrderMismatchError", words)
        order, account, payment = found
        if account.state in _TOO_EARLY:
            words = f'Cannot refund an Order in the "{account.state}" state'
            return _error("RefundOrderStateError", words, orderState=account.state)
        left = payment.amount - payment.refunded
        amount = int(asked.get("amount") or 0)
        if amount and left < amount:
            words = "The amount specified exceeds the refundable amount for this payment"
            return _error("RefundAmountError", words, maximumRefundable=left)
        if asked.get("shipping") is None or asked.get("adjustment") is None:
            # The table has no room for an amount that nobody told.
            raise GraphQLError("null value in column", extensions={"code": "INTERNAL_SERVER_ERROR"})
        items = 0 if amount else sum(VendureBooks.worth(account, line_id, count) for line_id, count in units.items())
        total = amount or items + int(asked["shipping"]) + int(asked["adjustment"])
        at = self._now()
        made = Refund(
            next(self._books.numbers), at, at, min(total, left), items, int(asked["shipping"]),
            int(asked["adjustment"]), "Settled" if payment.method in PAYS_BACK else "Pending", units,
            asked.get("reason"),
        )  # fmt: skip
        made.transaction_id = f"re-{made.number}" if made.state == "Settled" else None
        payment.refunds.append(made)
        for line_id, count in units.items():
            account.refunded[line_id] += count
        return objects.refund(made, payment, order)

    def pay_out(self, asked: Mapping[str, Any]) -> Answer:
        """`settleRefund`: a refund that waits has been paid out."""
        for order in self._books.orders.values():
            for payment in self._books.accounts[order.name].payments:
                for each in payment.refunds:
                    if str(each.number) == asked["id"]:
                        if each.state != "Pending":
                            words = f'Cannot transition Refund from "{each.state}" to "Settled"'
                            raise GraphQLError(words, extensions={"code": "ILLEGAL_OPERATION"})
                        each.state, each.updated_at = "Settled", self._now()
                        each.transaction_id = asked["transactionId"]
                        return objects.refund(each, payment, order)
        raise _not_found("Refund", asked["id"])

    def _payment(self, number: str) -> tuple[ShopOrder, Account, Payment]:
        for order in self._books.orders.values():
            account = self._books.accounts[order.name]
            for payment in account.payments:
                if str(payment.number) == number:
                    return order, account, payment
        raise _not_found("Payment", number)

    def _lines(self, lines: Sequence[Mapping[str, Any]]) -> tuple[ShopOrder, dict[str, int]]:
        """The order of these lines and their units; the tests ask for those of one order."""
        units: dict[str, int] = {}
        owner: ShopOrder | None = None
        for line in lines:
            found = self._books.order_of_line(line["orderLineId"])
            if found is None:
                raise _not_found("OrderLine", line["orderLineId"])
            owner = owner or found[0]
            units[found[1]] = units.get(found[1], 0) + line["quantity"]
        if owner is None:
            raise _not_found("OrderLine", "none")
        return owner, units


def _error(kind: str, message: str, **facts: object) -> dict[str, Any]:
    code = "".join(f"_{letter}" if letter.isupper() else letter for letter in kind).lstrip("_").upper()
    return {"__typename": kind, "errorCode": code, "message": message, **facts}


def _transition(kind: str, words: str, before: str, after: str) -> dict[str, Any]:
    facts = {"transitionError": words, "fromState": before, "toState": after}
    subject = kind.removesuffix("StateTransitionError")
    return _error(kind, f'Cannot transition {subject} from "{before}" to "{after}"', **facts)


def _not_found(kind: str, number: str) -> GraphQLError:
    return GraphQLError(f'No {kind} with the id "{number}" could be found', extensions={"code": "ENTITY_NOT_FOUND"})
