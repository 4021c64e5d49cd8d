"""A credit as NetSuite takes it: the body of a credit memo, of its own or made from a return authorisation.

NetSuite puts a stock item of a credit memo back on a shelf. A memo made from a return authorisation credits the
authorised lines, whose goods were received before.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from trueup.connectors.bookings import rounded
from trueup.connectors.credits import Credit, CreditLine
from trueup.connectors.netsuite.bookings import RATE_DIGITS, number_of


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
        "rate": number_of(rounded(line.amount / line.quantity, RATE_DIGITS)),
        "amount": number_of(line.amount),
    }
    if line.order_line is not None:
        return {"orderLine": line.order_line, **content}
    # Custom: with a price level, NetSuite would put the item's own price in the place of ours.
    return {"item": {"id": line.item}, "price": {"id": "-1"}, "description": line.memo, **content}
