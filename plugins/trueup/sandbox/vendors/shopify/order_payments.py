"""Money of a store's orders moves here: paid, captured, voided, refunded, completed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from trueup.sandbox.vendors.shopify.money_objects import DutyLine
from trueup.sandbox.vendors.shopify.objects import Location
from trueup.sandbox.vendors.shopify.order_lines import Line
from trueup.sandbox.vendors.shopify.payments import Transaction, refunded, spread_refund
from trueup.sandbox.vendors.shopify.refunds import Adjustment, Refund, RefundedDuty, RefundedLine, RefundedShipping
from trueup.sandbox.vendors.shopify.returns import Return
from trueup.sandbox.vendors.shopify.shop_order import ShopOrder
from trueup.sandbox.world.money import ZERO, Amounts, cash_rounding, total
from trueup.sandbox.world.order_money import Gateway, Payment

if TYPE_CHECKING:
    from trueup.sandbox.vendors.shopify.books import ShopBooks

_SLOW = frozenset({Gateway.BANK, Gateway.PAYPAL})
"""Gateways whose refunds stay pending for hours."""


@dataclass(frozen=True, slots=True)
class Takeback:
    """Units of a line that a refund takes off the order. `restock_type`: as Shopify has it.

    Units that are not restocked are those not sent yet before those that were, unless `is_return`.
    """

    line: Line
    units: int
    restock_type: str
    location: Location
    is_return: bool = False


@dataclass(frozen=True, slots=True)
class RefundTerms:
    """What a refund is besides lines. `shipping` None: none of it.

    `payments`: what goes back of each payment, in minor units of the customer's currency; None: whatever is owed.
    """

    shipping: Amounts | None = None
    duties: Sequence[tuple[DutyLine, Amounts]] = ()
    payments: Sequence[tuple[Transaction, int]] | None = None
    note: str | None = None
    reason: str = "REFUND_DISCREPANCY"


class OrderPayments:
    """The money of one store's orders."""

    def __init__(self, store: "ShopBooks") -> None:
        self._store = store

    def start(self, order: ShopOrder, payments: Sequence[Payment], now: datetime) -> None:
        """What the customer did at the checkout."""
        for paid in payments:
            rounding = paid.rounding
            action, status = paid.kind.name, paid.status.name
            self._write(order, action, paid.gateway, status, paid.amount, now, rounding=rounding, card=paid.card)

    def _write(
        self,
        order: ShopOrder,
        action: str,
        gateway: str,
        status: str,
        amount: Amounts,
        now: datetime,
        *,
        rounding: Amounts = ZERO,
        card: str | None = None,
        parent: Transaction | None = None,
    ) -> Transaction:
        number = self._store.new_side_number()
        made = Transaction(number, order, action, gateway, status, amount, now, rounding, card, parent)
        self._store.register(made)
        order.transactions.append(made)
        self._store.notify("ORDER_TRANSACTIONS_CREATE", made)
        return made

    def capture(self, order: ShopOrder, now: datetime) -> None:
        """Take what is owed out of what was authorised, as the store does when it sends goods; release the rest."""
        for authorised in [each for each in order.transactions if each.capturable]:
            amount = order.totals.total_outstanding_set.owed.within(authorised.capturable)
            if amount:
                self._write(
                    order,
                    "CAPTURE",
                    authorised.gateway,
                    "SUCCESS",
                    amount,
                    now,
                    card=authorised.card,
                    parent=authorised,
                )
                self._store.notify("ORDERS_PAID", order)

    def release(self, order: ShopOrder, now: datetime) -> None:
        """Give up what was authorised and not taken, and what was announced and did not come."""
        for authorised in [each for each in order.transactions if each.capturable]:
            self._write(
                order,
                "VOID",
                authorised.gateway,
                "SUCCESS",
                authorised.capturable,
                now,
                card=authorised.card,
                parent=authorised,
            )
        for pending in order.transactions:
            if pending.status == "PENDING" and pending.action == "SALE":
                pending.status = "FAILURE"

    def complete(self, order: ShopOrder) -> bool:
        """What was pending is carried out. Returns whether anything was."""
        pending = [each for each in order.transactions if each.status == "PENDING"]
        was_unpaid = not order.fully_paid
        for each in pending:
            each.status = "SUCCESS"
        if pending and was_unpaid and order.fully_paid:
            self._store.notify("ORDERS_PAID", order)
        return bool(pending)

    def pay_rest(self, order: ShopOrder, now: datetime) -> None:
        """Staff mark an order as paid: what is owed came in some other way."""
        self.capture(order, now)
        due = order.totals.total_outstanding_set.owed
        for pending in order.transactions:
            if pending.status == "PENDING" and pending.action == "SALE":
                pending.status = "FAILURE"
        if due:
            self._write(order, "SALE", Gateway.BANK, "SUCCESS", due, now)
        self._store.notify("ORDERS_PAID", order)

    # -- back ----------------------------------------------------------------------------------------------------

    def refund(
        self,
        order: ShopOrder,
        takebacks: Sequence[Takeback],
        now: datetime,
        terms: RefundTerms,
        returned_by: Return | None = None,
    ) -> Refund:
        """Take things off an order and give money back for them.

        Where other money goes back than is owed for them, the difference is an adjustment with a name.
        """
        store = self._store
        lines = [self._take_back(each) for each in takebacks]
        made = Refund(store.new_number(), order, now, lines, note=terms.note, returned_by=returned_by)
        made.shipping = self._shipping_back(order, terms.shipping)
        for duty, amount in terms.duties:
            duty.refunded += amount
            made.duties.append(RefundedDuty(duty, amount))
        order.refund_list.append(made)
        owed = (-order.totals.total_outstanding_set).owed
        expected = made.value.within(owed)
        if terms.payments is None:
            payments = spread_refund(owed, order.transactions)
        else:
            payments = in_both_currencies(terms.payments, expected)
        made.transactions = [self._pay_back(order, payment, amount, now) for payment, amount in payments]
        made.adjustments = self._adjustments(made, owed, expected, terms.reason)
        store.register(made, *made.lines, *made.shipping, *made.adjustments)
        store.notify("REFUNDS_CREATE", made)
        return made

    def _take_back(self, takeback: Takeback) -> RefundedLine:
        line, units = takeback.line, takeback.units
        share = line.next_share(units)
        is_return = takeback.is_return or takeback.restock_type == "RETURN"
        unsent = 0 if is_return else min(units, line.unfulfilled_quantity)
        line.cancelled += unsent
        line.returned += units - unsent
        return RefundedLine(self._store.new_number(), line, units, takeback.restock_type, takeback.location, share)

    def _shipping_back(self, order: ShopOrder, wanted: Amounts | None) -> list[RefundedShipping]:
        found: list[RefundedShipping] = []
        left = ZERO if wanted is None else wanted
        for line in order.shipping_lines:
            amount = left.within(line.current_discounted_price_set)
            if amount:
                tax = line.tax_of(amount)
                line.refunded += amount
                line.refunded_tax += tax
                left -= amount
                found.append(RefundedShipping(self._store.new_side_number(), line, amount, tax))
        return found

    def _pay_back(self, order: ShopOrder, payment: Transaction, amount: Amounts, now: datetime) -> Transaction:
        status = "PENDING" if payment.gateway in _SLOW else "SUCCESS"
        rounding = cash_rounding(amount) if payment.gateway == Gateway.CASH else ZERO
        return self._write(
            order,
            "REFUND",
            payment.gateway,
            status,
            amount,
            now,
            rounding=rounding,
            card=payment.card,
            parent=payment,
        )

    def _adjustments(self, made: Refund, owed: Amounts, expected: Amounts, reason: str) -> list[Adjustment]:
        paid = refunded(made.transactions)
        kept = (expected - paid).owed
        difference = kept - (paid - owed).owed
        if not difference:
            return []
        is_balance = bool(kept) and not made.order.refundable
        name = "FULL_RETURN_BALANCING_ADJUSTMENT" if is_balance else reason
        return [Adjustment(self._store.new_side_number(), difference, name, made.currencies)]


def in_both_currencies(
    shares: Sequence[tuple[Transaction, int]], expected: Amounts
) -> list[tuple[Transaction, Amounts]]:
    """Amounts in the customer's currency in both: all of what is left of a payment, or its share of it.

    Where they add up to what is expected to go back, they do in the shop's currency too.
    """
    found: list[tuple[Transaction, Amounts]] = []
    for payment, presented in shares:
        left, whole = payment.refundable, payment.amount
        shop = left.shop if presented == left.presented else whole.shop * presented // (whole.presented or 1)
        found.append((payment, Amounts(shop, presented)))
    missing = expected - total(amounts for _, amounts in found)
    if found and not missing.presented:
        payment, amounts = found[-1]
        found[-1] = (payment, amounts + missing)
    return found
