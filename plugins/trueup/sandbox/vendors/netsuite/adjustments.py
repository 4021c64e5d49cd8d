"""Inventory adjustments over the record API.

`X-NetSuite-Idempotency-Key` counts for asynchronous requests only, so a repeated adjustment is a second one.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from trueup.sandbox.vendors.netsuite.books import NetSuiteBooks
from trueup.sandbox.vendors.netsuite.errors import invalid_content
from trueup.sandbox.world.entries import MovementKind, StockMoved


def adjust(books: NetSuiteBooks, body: object, now: Callable[[], datetime]) -> int:
    """Make an inventory adjustment; the new record's id. `ApiError` 400 where the body does not hold."""
    if not isinstance(body, dict):
        raise invalid_content("The request body is not a JSON object.", "")
    if not isinstance(body.get("account"), dict):
        raise invalid_content("Please enter value(s) for: Adjustment Account.", "account")
    items = body.get("inventory", {}).get("items") if isinstance(body.get("inventory"), dict) else None
    if not isinstance(items, list) or not items:
        raise invalid_content("You must enter at least one line item for this transaction.", "inventory.items")
    moves = [_move(books, item, position, body, now()) for position, item in enumerate(items)]
    number = None
    for move in moves:
        number = books.record(move)
    if number is None:
        raise invalid_content("You must enter at least one line item for this transaction.", "inventory.items")
    return number


def _move(books: NetSuiteBooks, item: object, position: int, body: Mapping[str, Any], now: datetime) -> StockMoved:
    path = f"inventory.items[{position}]"
    if not isinstance(item, dict):
        raise invalid_content("Invalid line.", path)
    sku = books.skus.get(_reference(item.get("item")))
    if sku is None:
        raise invalid_content("You have entered an Invalid Field Value for the following field: item", f"{path}.item")
    location_id = books.location_of.get(_reference(item.get("location") or body.get("adjLocation")))
    if location_id is None:
        raise invalid_content(
            "You have entered an Invalid Field Value for the following field: location", f"{path}.location"
        )
    quantity = item.get("adjustQtyBy")
    if isinstance(quantity, bool) or not isinstance(quantity, int | float) or quantity == 0 or quantity % 1:
        raise invalid_content(
            "You have entered an Invalid Field Value for the following field: adjustQtyBy", f"{path}.adjustQtyBy"
        )
    return StockMoved(
        entry_id=f"API{position}",
        system_id="netsuite",
        recorded_at=now,
        happened_at=now,
        moves_timestamp=True,
        kind=MovementKind.ADJUST,
        sku=sku,
        location_id=location_id,
        delta=int(quantity),
        reference=str(body.get("externalId") or ""),
        memo=str(item.get("memo") or body.get("memo") or ""),
    )


def _reference(content: object) -> int:
    number = str(content.get("id")) if isinstance(content, dict) else ""
    return int(number) if number.isdigit() else -1
