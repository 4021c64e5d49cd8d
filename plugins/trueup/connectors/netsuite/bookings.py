"""A booking as NetSuite takes it: the body of a sales order whose lines have explicit amounts.

Taxes are no tax of NetSuite's own: REST web services know those of SuiteTax only (docs.oracle.com, ns-online-help,
section_159665260887).
"""

from decimal import Decimal
from typing import Any, Final

from trueup.connectors.bookings import BookedLine, Booking, Ledger, rounded

LEDGER: Final = Ledger(system="NetSuite", item="item", item_id="internal id", longest_name=45)
"""`otherRefNum`, NetSuite's PO/cheque number, takes no more than 45 letters."""
RATE_DIGITS: Final = 8
"""Decimals that NetSuite keeps of the price of a unit."""


def body_of(booking: Booking, channel_field: str) -> dict[str, Any]:
    """The request body that books it (REST record salesOrder). `channel_field`: empty where there is none."""
    optional: dict[str, Any] = {channel_field: booking.channel} if channel_field else {}
    if booking.currency.number:
        optional["currency"] = {"id": booking.currency.number}
    return {
        "externalId": booking.external_id,
        "otherRefNum": booking.order_name,
        "tranDate": booking.dated,
        "entity": {"id": booking.customer},
        # Approved at once: section_159795516182. What waits for payment or review is not booked before.
        "orderStatus": {"id": "B"},
        "item": {"items": [_item(line) for line in booking.lines]},
        **optional,
    }


def _item(line: BookedLine) -> dict[str, Any]:
    content: dict[str, Any] = {
        "item": {"id": line.item},
        "quantity": line.quantity,
        # Custom: with a price level, NetSuite would put the item's own price in the place of ours.
        "price": {"id": "-1"},
        "rate": number_of(rounded(line.amount / line.quantity, RATE_DIGITS)),
        "amount": number_of(line.amount),
        "description": line.memo,
    }
    if line.location is not None:
        content["location"] = {"id": line.location}
    return content


def number_of(amount: Decimal) -> float:
    """JSON knows numbers only; up to 15 digits they are written as the decimal is, and more are refused before."""
    return float(amount)
