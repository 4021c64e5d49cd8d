"""Documents of orders to book, and the changes that carry them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from trueup.domain.changes import Cause, Change, Operation
from trueup.domain.values import Document, State, Value

OPTIONS = {
    "customer": "401",
    "shipping_item": "900001",
    "fee_item": "900002",
    "tip_item": "900003",
    "duty_item": "900004",
    "gift_card_item": "900005",
    "rounding_item": "900006",
    "discount_item": "900007",
    "tax_item": "900008",
}
"""As the demo's account numbers its charges."""


def line(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a document
    """Two units at 4.95 from the main warehouse."""
    return {
        "line_ref": "L1",
        "item_ref": "1001",
        "sku": "HV-00001",
        "quantity": 2,
        "unit_price": "4.95",
        "discount": "0.00",
        "tax": "0.00",
        "location_ref": "1",
        **changes,
    }


def document(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a document
    """An order of the main shop, 9.90 pounds."""
    return {
        "order_name": "#1001",
        "channel": "shopify_main",
        "ordered_at": "2026-10-05T23:30:00+02:00",
        "currency": "GBP",
        "is_tax_included": True,
        "customer_ref": None,
        "lines": [line()],
        "adjustments": [],
        "total": "9.90",
        **changes,
    }


def creation(content: Mapping[str, Any], external_id: str = "trueup:1") -> Change:
    """The change that books the document."""
    return _change(external_id, Operation.CREATE, "document", None, Document.of(content))


def transition(external_id: str, expected: str | None, desired: str) -> Change:
    """The change that moves the order's state."""
    former = None if expected is None else State(expected)
    return _change(external_id, Operation.TRANSITION, "state", former, State(desired))


def _change(external_id: str, operation: Operation, field: str, expected: Value | None, desired: Value) -> Change:
    return Change(
        key=f"{external_id}-{operation}-{desired}",
        entity="order",
        operation=operation,
        target_system="netsuite",
        record_ref=external_id,
        field=field,
        expected=expected,
        desired=desired,
        cause=Cause.NOT_SYNCED_YET,
        priority=1,
        correlation_id=UUID(int=1),
    )
