"""How much of an order's payments can still go back: what came in, less what went back, payment by payment.

A vendor's own check is not relied on: some know nothing of earlier refunds, and some block the last one over a cent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal


class OverCeiling(ValueError):
    """More would go back than is left; the message says who used the room."""


@dataclass(frozen=True, slots=True)
class PaidBack:
    """What one refund gave back of a payment, carried out or on its way. `refund_ref`: as the vendor names it."""

    refund_ref: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class ReceivedPayment:
    """One payment that came in. Amounts are in the currency of the payment."""

    payment_ref: str
    amount: Decimal
    paid_back: tuple[PaidBack, ...] = ()

    @property
    def left(self) -> Decimal:
        """What of it can still go back; never below nothing."""
        return max(Decimal(0), self.amount - sum((part.amount for part in self.paid_back), Decimal(0)))


def amounts_to_refund(
    wanted: Sequence[tuple[str, Decimal]], payments: Mapping[str, ReceivedPayment], odd: Decimal
) -> list[tuple[str, Decimal]]:
    """Return what goes back of each payment, in the order of `wanted` (payment, amount), and each payment once.

    The last refund of a payment takes what is left of it: an amount beyond that by no more than `odd`, the cents that
    rounding line by line may have made, is cut. Raises `OverCeiling` where more than that would go back, or where an
    amount is not above nothing, or a payment is not known.
    """
    sums: dict[str, Decimal] = {}
    for payment_ref, amount in wanted:
        if amount <= 0:
            raise OverCeiling(f"{amount} of payment {payment_ref} is nothing that could go back")
        sums[payment_ref] = sums.get(payment_ref, Decimal(0)) + amount
    chosen = []
    for payment_ref, amount in sums.items():
        payment = payments.get(payment_ref)
        if payment is None:
            raise OverCeiling(f"payment {payment_ref} is none that came in for this order")
        taken = min(amount, payment.left)
        if amount - taken > odd or taken <= 0:
            raise OverCeiling(
                f"{amount} is to go back of payment {payment_ref}, and {payment.left} of its {payment.amount} is left;"
                f" {_users(payment)}"
            )
        chosen.append((payment_ref, taken))
    return chosen


def _users(payment: ReceivedPayment) -> str:
    if not payment.paid_back:
        return "nothing of it went back yet"
    return "already given back: " + ", ".join(f"{part.amount} by {part.refund_ref}" for part in payment.paid_back)
