"""What an order's document comes to as a booking in an ERP: lines, each with an amount, and the total they must have.

The document (JSON, amounts as decimal texts):

    {"order_name", "channel", "ordered_at", "currency", "is_tax_included", "customer_ref": null | text,
     "lines": [{"line_ref", "item_ref", "sku", "quantity", "unit_price", "discount", "tax", "location_ref"}],
     "adjustments": [{"kind", "amount", "label"}], "total"}

Its total is the sum of unit price times quantity less discount, of the lines' taxes where prices do not include them,
and of the adjustments with their signs. Everything is booked as lines with explicit amounts, so that the ERP has
nothing to reckon: goods net of tax, each discount on a line behind its goods, taxes and adjustments on items that the
tenant names. What a channel has charged as tax is a fact, not to be computed again.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

_DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,6})?")
_ID = re.compile(r"[1-9][0-9]{0,17}")
_MOST_UNITS: Final = 1_000_000_000
_LONGEST_MEMO: Final = 200


class NotBookable(ValueError):
    """The document cannot be booked as it is; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """How an ERP calls things. `item`: what a line is booked on, in the options too (`tax_item`).

    `longest_name`: of the channel's name for an order. `location`: what the option of the same name says.
    """

    system: str
    item: str
    item_id: str
    longest_name: int
    location: str = "location"


@dataclass(frozen=True, slots=True)
class Currency:
    """One of the ERP's: its id, empty where the ERP keeps no other, and its decimals."""

    number: str
    digits: int


@dataclass(frozen=True, slots=True)
class BookedLine:
    """One line to book. `component`: what of the order it is. `amount` without tax, with the order's sign."""

    component: str
    item: str
    quantity: int
    amount: Decimal
    location: str | None
    memo: str


@dataclass(frozen=True, slots=True)
class Booking:
    """One order to book. `dated`: the day in the ERP's time zone on which it was ordered, ISO 8601."""

    external_id: str
    order_name: str
    channel: str
    dated: str
    currency: Currency
    symbol: str
    customer: str
    lines: tuple[BookedLine, ...]
    total: Decimal


def rounded(amount: Decimal, digits: int) -> Decimal:
    """The amount with so many decimals, half away from zero."""
    return amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def booking_of(
    external_id: str,
    document: Mapping[str, Any],
    options: Mapping[str, str],
    currencies: Mapping[str, Currency],
    zone: ZoneInfo,
    ledger: Ledger,
) -> Booking:
    """Make the booking of a document; raises `NotBookable` where it cannot be booked.

    `options`: of the system in systems.yml. `currencies`: the ERP's, by their symbol.
    """
    symbol = text_of(document, "currency", 3, ledger)
    currency = currency_of(symbol, currencies, ledger)
    lines: list[BookedLine] = []
    taxes = Decimal(0)
    for each in objects_of(document, "lines"):
        lines += _line(each, options, ledger, currency.digits, is_tax_included=document.get("is_tax_included") is True)
        taxes += amount_of(each, "tax", currency.digits)
    if taxes:
        lines.append(charge_on("tax", taxes, "Tax", options, ledger))
    for each in objects_of(document, "adjustments"):
        amount = amount_of(each, "amount", currency.digits)
        kind = text_of(each, "kind", 40, ledger)
        if amount:
            lines.append(charge_on(kind, amount, str(each.get("label") or kind), options, ledger))
    if not lines:
        raise NotBookable("the order has no lines; there is nothing to book")
    total = amount_of(document, "total", currency.digits)
    parts = sum((line.amount for line in lines), Decimal(0))
    if parts != total:
        raise NotBookable(
            f"the order's parts come to {parts} {symbol}, its total says {total}; give the difference a name (rounding)"
        )
    return Booking(
        external_id,
        text_of(document, "order_name", ledger.longest_name, ledger),
        text_of(document, "channel", 255, ledger),
        day_of(document, "ordered_at", zone),
        currency,
        symbol,
        _customer(document, options),
        tuple(lines),
        total,
    )


def _line(
    line: Mapping[str, Any],
    options: Mapping[str, str],
    ledger: Ledger,
    digits: int,
    *,
    is_tax_included: bool,
) -> Iterable[BookedLine]:
    sku = text_of(line, "sku", 255, ledger)
    quantity = line.get("quantity")
    if type(quantity) is not int or not 0 < quantity <= _MOST_UNITS:
        raise NotBookable(f"line {sku}: '{quantity}' is no number of units above 0; correct the order")
    gross = amount_of(line, "unit_price", 6) * quantity
    discount, tax = amount_of(line, "discount", digits), amount_of(line, "tax", digits)
    if rounded(gross, digits) != gross:
        raise NotBookable(f"line {sku}: {quantity} units at their price are no whole amount; give the rest a name")
    gross = rounded(gross, digits)
    left = gross - discount
    net = left - tax if is_tax_included else left
    # Of a price with tax the discount has its share of the tax: on its net share the two lines add up exactly.
    taken = rounded(discount * net / left, digits) if is_tax_included and left else discount
    location = line.get("location_ref") or options.get(ledger.location)
    if location is not None and not _ID.fullmatch(str(location)):
        raise NotBookable(
            f"line {sku}: {ledger.location} '{location}' is no id of {ledger.system}; correct the id of the"
            f" {ledger.location}"
        )
    item = line.get("item_ref")
    if not isinstance(item, str) or not _ID.fullmatch(item):
        raise NotBookable(
            f"line {sku}: no {ledger.item} of {ledger.system} is known for it; give it one there, or an alias"
        )
    yield BookedLine(f"line {sku}", item, quantity, net + taken, location, sku)
    if taken:
        yield charge_on("discount", -taken, f"Discount on {sku}", options, ledger)


def currency_of(symbol: str, currencies: Mapping[str, Currency], ledger: Ledger) -> Currency:
    """The ERP's currency of that symbol; raises `NotBookable`."""
    currency = currencies.get(symbol)
    if currency is None:
        raise NotBookable(f"{ledger.system} has no active currency {symbol}; add it to its currencies")
    return currency


def charge_on(kind: str, amount: Decimal, label: str, options: Mapping[str, str], ledger: Ledger) -> BookedLine:
    """The line of what is no product, on the item that the options name for its kind; raises `NotBookable`."""
    item = options.get(f"{kind}_{ledger.item}")
    if item is None or not _ID.fullmatch(item):
        raise NotBookable(
            f"no {ledger.item} is named for {kind}; add the {ledger.item_id} of the {ledger.item} that it is booked on"
            f" to the system's options in systems.yml: {kind}_{ledger.item}"
        )
    return BookedLine(kind, item, 1, amount, None, label[:_LONGEST_MEMO])


def _customer(document: Mapping[str, Any], options: Mapping[str, str]) -> str:
    given = document.get("customer_ref") or options.get("customer")
    if not isinstance(given, str) or not _ID.fullmatch(given):
        raise NotBookable("the order has no customer; name the one to book it on as 'customer' in the system's options")
    return given


def day_of(document: Mapping[str, Any], name: str, zone: ZoneInfo) -> str:
    """The day of a moment of the document in the ERP's time zone, ISO 8601; raises `NotBookable`."""
    try:
        moment = datetime.fromisoformat(str(document.get(name)))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise NotBookable(f"{name} '{document.get(name)}' is no time with its zone; correct it where it comes from")
    return moment.astimezone(zone).date().isoformat()


def amount_of(content: Mapping[str, Any], name: str, digits: int) -> Decimal:
    """An amount of the document with the decimals of its currency, and no more; raises `NotBookable`."""
    given = content.get(name)
    if not isinstance(given, str) or not _DECIMAL.fullmatch(given):
        raise NotBookable(f"{name} '{given}' is no decimal amount; correct the order")
    amount = Decimal(given)
    if rounded(amount, digits) != amount:
        raise NotBookable(f"{name} {given} has more than the {digits} decimals of its currency; correct the order")
    return rounded(amount, digits)


def text_of(content: Mapping[str, Any], name: str, longest: int, ledger: Ledger) -> str:
    """A text of the document that is there and no longer than the ERP takes; raises `NotBookable`."""
    given = content.get(name)
    if not isinstance(given, str) or not 0 < len(given) <= longest:
        raise NotBookable(f"{name} is missing, or longer than the {longest} letters that {ledger.system} takes")
    return given


def objects_of(content: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    """A list of objects of the document; raises `NotBookable`."""
    given = content.get(name)
    if not isinstance(given, Sequence) or not all(isinstance(each, Mapping) for each in given):
        raise NotBookable(f"{name} is no list of objects; correct the order")
    return given
