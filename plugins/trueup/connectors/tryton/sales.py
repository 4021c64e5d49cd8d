"""An order's booking as a sale of Tryton: its lines with the prices that make them come to their amounts, and its body.

No rule of Tryton's own runs on what comes over REST (no `on_change`): units, prices and addresses have to be given, and
no tax is added. What the channel charged as tax is a line on a product that the tenant names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trueup.connectors.bookings import Booking, NotBookable
from trueup.connectors.tryton import rest
from trueup.connectors.tryton.pricing import PricedLine, priced, with_rest


@dataclass(frozen=True, slots=True)
class Sale:
    """One sale to book, all of which leaves one warehouse."""

    booking: Booking
    warehouse: str
    lines: tuple[PricedLine, ...]


@dataclass(frozen=True, slots=True)
class Customer:
    """Whom a document is made out to, and where to."""

    party: int
    address: int


def sale_of(booking: Booking, options: Mapping[str, str]) -> Sale:
    """Make the sale of a booking; raises `NotBookable` where it cannot be booked."""
    warehouses = {line.location for line in booking.lines if line.location is not None}
    if len(warehouses) > 1:
        raise NotBookable(
            f"its lines leave the warehouses {', '.join(sorted(warehouses))}, and a sale of Tryton leaves one; book it"
            " there by hand, as one sale for each"
        )
    warehouse = next(iter(warehouses), options.get("warehouse"))
    if warehouse is None:
        raise NotBookable("no warehouse is named for it; add the id of the one it leaves to the options: warehouse")
    digits = booking.currency.digits
    lines = [priced(line.component, line.item, line.quantity, line.amount, line.memo, digits) for line in booking.lines]
    return Sale(booking, warehouse, with_rest(lines, booking.total, options, digits))


def body_of(
    sale: Sale, company: int, shop: int, customer: Customer, units: Mapping[str, int], payment_term: str | None
) -> dict[str, Any]:
    """The record sale.sale that books it. `units`: by product, the unit that its stock is kept in."""
    booking = sale.booking
    body: dict[str, Any] = {
        "company": company,
        "party": customer.party,
        "invoice_address": customer.address,
        "shipment_address": customer.address,
        "currency": int(booking.currency.number),
        "warehouse": int(sale.warehouse),
        "sale_date": _day(booking.dated),
        "invoice_method": "order",
        "shipment_method": "order",
        "reference": booking.order_name,
        "web_shop": shop,
        "web_id": booking.external_id,
        "lines": [["create", [_line(line, units) for line in sale.lines]]],
    }
    if payment_term is not None:
        body["payment_term"] = int(payment_term)
    return body


def _line(line: PricedLine, units: Mapping[str, int]) -> dict[str, Any]:
    return {
        "type": "line",
        "product": int(line.product),
        "quantity": float(line.quantity),
        "unit": units[line.product],
        "unit_price": rest.decimal(line.price),
        "description": line.memo,
    }


def _day(text: str) -> dict[str, object]:
    year, month, day = (int(part) for part in text.split("-"))
    return {"__class__": "date", "year": year, "month": month, "day": day}
