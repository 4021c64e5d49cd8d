"""What a refund's document comes to as a credit in an ERP: lines, each with an amount, and the total they must have.

The document (JSON, amounts as decimal texts):

    {"refund_ref", "order_name", "channel", "refunded_at", "currency",
     "lines": [{"item_ref", "sku", "quantity", "amount"}], "adjustments": [{"kind", "amount", "label"}], "total"}

Goods are credited without tax on an item that the tenant names, not on themselves: a credited stock item may be put on
a shelf, and what is on a shelf is another fact (a receipt's). Everything else is a line on an item of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from trueup.connectors.bookings import (
    Currency,
    Ledger,
    NotBookable,
    amount_of,
    charge_on,
    currency_of,
    day_of,
    objects_of,
    text_of,
)


@dataclass(frozen=True, slots=True)
class CreditLine:
    """One line to credit. `sku_item` None: no goods. `order_line`: the line of the return, None for none."""

    component: str
    item: str
    quantity: int
    amount: Decimal
    memo: str
    sku_item: str | None = None
    order_line: int | None = None


@dataclass(frozen=True, slots=True)
class Credit:
    """One credit to make. `refunded_on`: the refund's day in the ERP's time zone, `dated` that of the credit.

    `made_from`: the return that it is made from, None for a credit of its own.
    """

    external_id: str
    order_name: str
    channel: str
    refunded_on: date
    dated: date
    currency: Currency
    symbol: str
    lines: tuple[CreditLine, ...]
    total: Decimal
    made_from: str | None = None

    @property
    def memo(self) -> str:
        """What stands on the credit: the refund's day, where the credit had to be dated on another."""
        if self.dated == self.refunded_on:
            return f"Refund of {self.order_name}"
        return f"Refund of {self.order_name} on {self.refunded_on.isoformat()}, whose period is closed"


def credit_of(
    external_id: str,
    document: Mapping[str, Any],
    options: Mapping[str, str],
    currencies: Mapping[str, Currency],
    zone: ZoneInfo,
    ledger: Ledger,
) -> Credit:
    """Make the credit of a document; raises `NotBookable` where it cannot be credited.

    `options`: of the system in systems.yml. `currencies`: the ERP's, by their symbol.
    """
    symbol = text_of(document, "currency", 3, ledger)
    currency = currency_of(symbol, currencies, ledger)
    lines = []
    for each in objects_of(document, "lines"):
        sku, quantity = text_of(each, "sku", 255, ledger), each.get("quantity")
        if type(quantity) is not int or quantity < 1:
            raise NotBookable(f"line {sku}: '{quantity}' is no number of units above 0; correct the refund")
        amount = amount_of(each, "amount", currency.digits)
        charge = charge_on("refund", amount, sku, options, ledger)
        lines.append(CreditLine(f"line {sku}", charge.item, quantity, amount, sku, str(each.get("item_ref") or "")))
    for each in objects_of(document, "adjustments"):
        kind, amount = text_of(each, "kind", 40, ledger), amount_of(each, "amount", currency.digits)
        if amount:
            charge = charge_on(kind, amount, str(each.get("label") or kind), options, ledger)
            lines.append(CreditLine(kind, charge.item, 1, amount, charge.memo))
    total = amount_of(document, "total", currency.digits)
    parts = sum((line.amount for line in lines), Decimal(0))
    if parts != total:
        raise NotBookable(f"the refund's parts come to {parts} {symbol}, its total says {total}; look at the refund")
    if not lines or total <= 0:
        raise NotBookable("the refund gives nothing back; there is nothing to credit")
    day = date.fromisoformat(day_of(document, "refunded_at", zone))
    return Credit(
        external_id,
        text_of(document, "order_name", ledger.longest_name, ledger),
        text_of(document, "channel", 255, ledger),
        day,
        day,
        currency,
        symbol,
        tuple(lines),
        total,
    )
