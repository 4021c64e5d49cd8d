"""What a refund's document comes to as a credit memo: lines, each with an amount, and the total that they must have.

The document (JSON, amounts as decimal texts):

    {"refund_ref", "order_name", "channel", "refunded_at", "currency",
     "lines": [{"item_ref", "sku", "quantity", "amount"}], "adjustments": [{"kind", "amount", "label"}], "total"}

Goods are credited without tax on an item that the tenant names, not on themselves: NetSuite puts a stock item of a
credit memo back on a shelf, and what is on a shelf is another fact (a receipt's). A memo made from a return
authorisation credits the authorised lines, whose goods were received before. Everything else is a line on an item of
its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from trueup.connectors.netsuite.bookings import (
    Currency,
    NotBookable,
    amount_of,
    charge_on,
    day_of,
    number_of,
    objects_of,
    rounded,
    text_of,
)

_RATE_DIGITS: Final = 8
_LONGEST_NAME: Final = 45
"""Of `otherRefNum`: NetSuite's PO/cheque number takes no more."""


@dataclass(frozen=True, slots=True)
class CreditLine:
    """One line to credit. `sku` None: no goods. `order_line`: the line of the return authorisation, None for none."""

    component: str
    item: str
    quantity: int
    amount: Decimal
    memo: str
    sku_item: str | None = None
    order_line: int | None = None


@dataclass(frozen=True, slots=True)
class Credit:
    """One credit memo to make. `refunded_on`: the refund's day in the account's time zone, `dated` that of the memo.

    `made_from`: the return authorisation that it is made from, None for a memo of its own.
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
        """What stands on the memo: the refund's day, where the memo had to be dated on another."""
        if self.dated == self.refunded_on:
            return f"Refund of {self.order_name}"
        return f"Refund of {self.order_name} on {self.refunded_on.isoformat()}, whose period is closed"


def credit_of(
    external_id: str,
    document: Mapping[str, Any],
    options: Mapping[str, str],
    currencies: Mapping[str, Currency],
    zone: ZoneInfo,
) -> Credit:
    """Make the credit of a document; raises `NotBookable` where it cannot be credited.

    `options`: of the system in systems.yml. `currencies`: the account's, by their symbol.
    """
    symbol = text_of(document, "currency", 3)
    currency = currencies.get(symbol)
    if currency is None:
        raise NotBookable(f"NetSuite has no active currency {symbol}; add it to the account's currencies")
    lines = []
    for each in objects_of(document, "lines"):
        sku, quantity = text_of(each, "sku", 255), each.get("quantity")
        if type(quantity) is not int or quantity < 1:
            raise NotBookable(f"line {sku}: '{quantity}' is no number of units above 0; correct the refund")
        amount = amount_of(each, "amount", currency.digits)
        charge = charge_on("refund", amount, sku, options)
        lines.append(CreditLine(f"line {sku}", charge.item, quantity, amount, sku, str(each.get("item_ref") or "")))
    for each in objects_of(document, "adjustments"):
        kind, amount = text_of(each, "kind", 40), amount_of(each, "amount", currency.digits)
        if amount:
            charge = charge_on(kind, amount, str(each.get("label") or kind), options)
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
        text_of(document, "order_name", _LONGEST_NAME),
        text_of(document, "channel", 255),
        day,
        day,
        currency,
        symbol,
        tuple(lines),
        total,
    )


def from_return(credit: Credit, return_id: str, order_lines: Mapping[str, int]) -> Credit:
    """The same credit made from a return authorisation. `order_lines`: its lines' numbers by their items."""
    lines = tuple(
        line if line.sku_item is None else replace(line, item=line.sku_item, order_line=order_lines[line.sku_item])
        for line in credit.lines
    )
    return replace(credit, lines=lines, made_from=return_id)


def body_of(credit: Credit, entity: str, channel_field: str) -> dict[str, Any]:
    """The request body that makes it (REST record creditMemo, or a transformation to one).

    `entity`: the customer that its order is booked on. `channel_field`: empty where there is none.
    """
    body: dict[str, Any] = {
        "externalId": credit.external_id,
        "tranDate": credit.dated.isoformat(),
        "memo": credit.memo,
        "item": {"items": [_item(line) for line in credit.lines]},
    }
    if credit.made_from is None:
        # A transformation takes these from what it is made from.
        body |= {"entity": {"id": entity}, "otherRefNum": credit.order_name}
        if channel_field:
            body[channel_field] = credit.channel
        if credit.currency.number:
            body["currency"] = {"id": credit.currency.number}
    return body


def _item(line: CreditLine) -> dict[str, Any]:
    content: dict[str, Any] = {
        "quantity": line.quantity,
        "rate": number_of(rounded(line.amount / line.quantity, _RATE_DIGITS)),
        "amount": number_of(line.amount),
    }
    if line.order_line is not None:
        return {"orderLine": line.order_line, **content}
    # Custom: with a price level, NetSuite would put the item's own price in the place of ours.
    return {"item": {"id": line.item}, "price": {"id": "-1"}, "description": line.memo, **content}
