"""What of a BigCommerce order's money can still go back, and by whom: pure rules over what the store answered.

BigCommerce gives money back by payment provider, not by payment, and carries a refund out after it has answered: its
transaction may come later. So what came in and what went back are added up by provider, and of two words on what went
back the larger one counts: the store's refunds, those on their way among them, or the transactions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from trueup.connectors.bigcommerce.orders import SYSTEM
from trueup.connectors.document_fields import answered, answered_amount
from trueup.connectors.reading import within
from trueup.connectors.refund_documents import MadeRefund, WantedRefund
from trueup.domain.refunds import OverCeiling, PaidBack, ReceivedPayment, amounts_to_refund

_TAKING: Final = ("purchase", "capture", "settled")
_CHECKOUT: Final = "checkout_"  # some quotes name a provider by its place in the checkout: checkout_paypalexpress
ORDER: Final = "order"


@dataclass(frozen=True, slots=True)
class Money:
    """An order's money. `gateways`: by payment; `providers`: what came in and went back of each; `whole`: of all."""

    gateways: Mapping[str, str]
    currencies: frozenset[str]
    providers: Mapping[str, ReceivedPayment]
    whole: ReceivedPayment


def provider_of(name: object) -> str:
    """Return a payment provider's name, the same in transactions, quotes and refunds."""
    return str(name or "").removeprefix(_CHECKOUT)


def money_of(transactions: Sequence[Any], refunds: Sequence[Any]) -> Money:
    """Add up what came in and went back."""
    taken = {str(within(each, "id")): each for each in transactions if _is_good(each) and _is_taking(each)}
    counted = {
        ref: each
        for ref, each in taken.items()
        # Money that was taken and is then settled came in once.
        if within(each, "event") != "settled" or str(within(each, "reference_transaction_id")) not in taken
    }
    gateways = {ref: provider_of(within(each, "gateway")) for ref, each in counted.items()}
    made = {
        f"refund {within(refund, 'id')}": [
            (provider_of(within(part, "provider_id")), answered_amount(SYSTEM, within(part, "amount"), "an amount"))
            for part in answered(SYSTEM, within(refund, "payments"), list, "a refund's payments")
            if within(part, "is_declined") is not True
        ]
        for refund in refunds
    }
    providers = {}
    for provider in dict.fromkeys(gateways.values()):
        came = _sum(each for ref, each in counted.items() if gateways[ref] == provider)
        back = [PaidBack(name, amount) for name, parts in made.items() for by, amount in parts if by == provider]
        moved = _sum(
            each
            for each in transactions
            if _is_good(each) and within(each, "event") == "refund" and provider_of(within(each, "gateway")) == provider
        )
        beyond = moved - sum((part.amount for part in back), Decimal(0))
        if beyond > 0:
            back.append(PaidBack("the provider itself", beyond))
        providers[provider] = ReceivedPayment(provider, came, tuple(back))
    all_back = tuple(PaidBack(name, amount) for name, parts in made.items() for _, amount in parts)
    whole = ReceivedPayment(ORDER, _sum(counted.values()), all_back)
    currencies = frozenset(str(within(each, "currency")) for each in counted.values())
    return Money(gateways, currencies, providers, whole)


def amounts_by_provider(wanted: WantedRefund, money: Money) -> dict[str, Decimal]:
    """Return what is to go back by each provider; raises `OverCeiling` where that is more than is left."""
    for part in wanted.payments:
        if part.payment_ref not in money.gateways:
            raise OverCeiling(f"payment {part.payment_ref} is none that came in for this order")
    by_provider = [(money.gateways[part.payment_ref], part.amount) for part in wanted.payments]
    chosen = dict(amounts_to_refund(by_provider, money.providers, wanted.odd))
    # Money that was given back outside the store has left no provider, and leaves less of the order all the same.
    (_, room), *_ = amounts_to_refund([(ORDER, sum(chosen.values(), Decimal(0)))], {ORDER: money.whole}, wanted.odd)
    return to_the_cent(chosen, room)


def to_the_cent(amounts: Mapping[str, Decimal], total: Decimal) -> dict[str, Decimal]:
    """Return the amounts with the cents that they lack of the total, or have beyond it, on the largest of them."""
    largest = max(amounts, key=lambda provider: amounts[provider])
    rest = total - sum(amounts.values(), Decimal(0))
    return {provider: amount + (rest if provider == largest else 0) for provider, amount in amounts.items()}


def made_refund(refund: Any, wanted: WantedRefund, money: Money) -> MadeRefund:  # noqa: ANN401 - a piece of JSON
    """Read a refund of the store: what went back by a provider is that of the wanted payments by it, in turn."""
    left: dict[str, Decimal] = {}
    for part in answered(SYSTEM, within(refund, "payments"), list, "a refund's payments"):
        if within(part, "is_declined") is not True:
            provider = provider_of(within(part, "provider_id"))
            left[provider] = left.get(provider, Decimal(0)) + answered_amount(
                SYSTEM, within(part, "amount"), "a refund's amount"
            )
    paid: dict[str, Decimal] = {}
    last_of = {money.gateways.get(part.payment_ref): part.payment_ref for part in wanted.payments}
    for part in wanted.payments:
        by = money.gateways.get(part.payment_ref, "")
        amount = left.get(by, Decimal(0))
        if last_of.get(by) != part.payment_ref:
            amount = min(part.amount, amount)
        if amount:
            # Cents of rounding are the store's own.
            is_meant = abs(amount - part.amount) <= wanted.odd
            paid[part.payment_ref] = paid.get(part.payment_ref, Decimal(0)) + (part.amount if is_meant else amount)
            left[by] -= amount
    paid |= {provider: amount for provider, amount in left.items() if amount}
    lines: dict[tuple[str, str, str | None], int] = {}
    shipping = Decimal(0)
    for item in answered(SYSTEM, within(refund, "items"), list, "a refund's items"):
        kind = within(item, "item_type")
        if kind == "PRODUCT":
            key = (str(within(item, "item_id")), "no_restock", None)
            lines[key] = lines.get(key, 0) + answered(SYSTEM, within(item, "quantity"), int, "a refund's units")
        elif kind == "SHIPPING":
            shipping += answered_amount(SYSTEM, within(item, "requested_amount"), "a refund's shipping")
    return MadeRefund(str(answered(SYSTEM, within(refund, "id"), int, "a refund's id")), paid, lines, shipping)


def _is_good(transaction: object) -> bool:
    return bool(within(transaction, "status") == "ok")


def _is_taking(transaction: object) -> bool:
    return within(transaction, "event") in _TAKING


def _sum(transactions: Iterable[object]) -> Decimal:
    amounts = (answered_amount(SYSTEM, within(each, "amount"), "a payment's amount") for each in transactions)
    return sum(amounts, Decimal(0))
