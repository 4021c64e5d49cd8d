"""UpdateOrder: a sparse order with the version that it was read at, written only where nobody was faster.

What Square works out by itself is ignored or refused, as Square does. What the stores do in the sandbox's world, the
states of an order and of its fulfilments, is written by them alone.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from trueup.sandbox.vendors.square.errors import ApiError
from trueup.sandbox.vendors.square.kept_orders import Json, Kept
from trueup.sandbox.vendors.square.orders import SquareOrders

_MAX_LENGTH: Final[Mapping[str, int]] = {"reference_id": 40, "ticket_name": 30}
_MAX_DETAIL: Final[Mapping[str, int]] = {
    "carrier": 50,
    "shipping_note": 500,
    "shipping_type": 50,
    "tracking_number": 100,
    "tracking_url": 2000,
    "expected_shipped_at": 32,
}
_MAX_METADATA: Final = (10, 60, 255)  # entries, characters of a name, characters of a value
_MAX_KEY: Final = 192
_PAID: Final = ("line_items", "taxes", "discounts", "service_charges", "rewards")
_FULFILLMENT_PATH: Final = re.compile(r"fulfillments\[([^\]]+)\]\.shipment_details\.(\w+)")


class Updates:
    """Writes to one seller's orders. A key that was used before is answered with the order as it is."""

    def __init__(self, orders: SquareOrders) -> None:
        self._orders = orders
        self._done: set[tuple[str, str]] = set()

    def update(self, order_id: str, body: Mapping[str, Any], now: datetime) -> Json:
        """UpdateOrder."""
        shown = self._orders.by_id.get(order_id)
        if shown is None:
            raise ApiError("NOT_FOUND", f"Order {order_id} not found.", "order_id")
        key = body.get("idempotency_key")
        if isinstance(key, str) and len(key) > _MAX_KEY:
            raise ApiError("VALUE_TOO_LONG", f"At most {_MAX_KEY} characters are allowed.", "idempotency_key")
        if isinstance(key, str) and (order_id, key) in self._done:
            return {"order": shown}
        sparse = body.get("order")
        if not isinstance(sparse, dict):
            raise ApiError("BAD_REQUEST", "Missing required parameter.", "order")
        _check_version(shown, sparse)
        kept = self._orders.kept(order_id)
        if kept is None or shown["state"] != "OPEN":
            raise ApiError("BAD_REQUEST", f"Order {order_id} is {shown['state']} and cannot be updated.", "order.state")
        cleared = body.get("fields_to_clear") or []
        changes = _changes(kept, sparse)
        edits = {uid: dict(fields) for uid, fields in kept.edits.items()}
        _write_fulfillments(kept, edits, sparse.get("fulfillments") or [])
        for path in cleared:
            _clear(changes, edits, str(path))
        kept.edits = edits
        for name, value in changes.items():
            if value is None:
                kept.content.pop(name, None)
            else:
                kept.content[name] = value
        self._orders.changed(kept, now)
        if isinstance(key, str):
            self._done.add((order_id, key))
        return {"order": kept.content}


def _check_version(shown: Json, sparse: Mapping[str, Any]) -> None:
    version = sparse.get("version")
    if version is None:
        raise ApiError("BAD_REQUEST", "Missing required parameter.", "order.version")
    if version != shown["version"]:
        # Not among the published codes; recorded answers have it (developer.squareup.com/forums 13601).
        detail = (
            f"Supplied version {version} does not match the current version {shown['version']} of order {shown['id']}."
        )
        raise ApiError("VERSION_MISMATCH", detail, "order.version")


def _changes(kept: Kept, sparse: Mapping[str, Any]) -> dict[str, Any]:
    """The fields to write, checked; what is unchanged or Square's own is left out."""
    shown = kept.content
    for name in _PAID:
        if sparse.get(name) and shown.get("tenders"):
            # Recorded: developer.squareup.com/forums 9477.
            label = "".join(part.capitalize() for part in name.split("_"))
            raise ApiError("BAD_REQUEST", f"{label} cannot be modified for finalized tenders.", f"order.{name}")
    if sparse.get("location_id", shown["location_id"]) != shown["location_id"]:
        raise ApiError("BAD_REQUEST", "An order stays at its location.", "order.location_id")
    if sparse.get("state", shown["state"]) != shown["state"]:
        raise ApiError("BAD_REQUEST", "In the sandbox the stores alone close and cancel orders.", "order.state")
    changes: dict[str, Any] = {}
    for name, most in _MAX_LENGTH.items():
        if sparse.get(name) is not None:
            changes[name] = _short(sparse[name], most, f"order.{name}")
    if sparse.get("metadata") is not None:
        changes["metadata"] = {**shown.get("metadata", {}), **_metadata(sparse["metadata"], "order.metadata")}
    return changes


def _write_fulfillments(kept: Kept, edits: dict[str, dict[str, Json]], sparse: object) -> None:
    if not isinstance(sparse, list):
        raise ApiError("EXPECTED_ARRAY", "Expected an array.", "order.fulfillments")
    shown = {each["uid"]: each for each in kept.content.get("fulfillments", ())}
    for position, each in enumerate(sparse):
        path = f"order.fulfillments[{position}]"
        known = shown.get(each.get("uid")) if isinstance(each, dict) else None
        if known is None:
            raise ApiError("BAD_REQUEST", "In the sandbox the stores alone make fulfillments.", f"{path}.uid")
        if each.get("state", known["state"]) != known["state"]:
            raise ApiError("BAD_REQUEST", "In the sandbox the stores alone ship.", f"{path}.state")
        fields = edits.setdefault(known["uid"], {})
        details = each.get("shipment_details") or {}
        written = {
            name: _short(details[name], most, f"{path}.shipment_details.{name}")
            for name, most in _MAX_DETAIL.items()
            if details.get(name) is not None
        }
        fields["shipment_details"] = {**fields.get("shipment_details", {}), **written}
        if each.get("metadata") is not None:
            metadata = _metadata(each["metadata"], f"{path}.metadata")
            fields["metadata"] = {**fields.get("metadata", {}), **metadata}


def _clear(changes: dict[str, Any], edits: Mapping[str, dict[str, Json]], path: str) -> None:
    match = _FULFILLMENT_PATH.fullmatch(path)
    if path in (*_MAX_LENGTH, "metadata"):
        changes[path] = None
    elif match is not None and match[2] in _MAX_DETAIL:
        edits.get(match[1], {}).get("shipment_details", {}).pop(match[2], None)
    else:
        raise ApiError("BAD_REQUEST", f"'{path}' cannot be cleared.", "fields_to_clear")


def _short(value: object, most: int, field: str) -> str:
    if not isinstance(value, str):
        raise ApiError("EXPECTED_STRING", "Expected a string value.", field)
    if len(value) > most:
        raise ApiError("VALUE_TOO_LONG", f"At most {most} characters are allowed.", field)
    return value


def _metadata(asked: object, field: str) -> dict[str, str]:
    entries, longest_name, longest_value = _MAX_METADATA
    if not isinstance(asked, dict):
        raise ApiError("EXPECTED_MAP", "Expected a map.", field)
    if len(asked) > entries:
        raise ApiError("TOO_MANY_MAP_ENTRIES", f"At most {entries} are allowed.", field)
    if any(len(name) > longest_name for name in asked):
        raise ApiError("MAP_KEY_LENGTH_TOO_LONG", f"At most {longest_name} characters are allowed.", field)
    return {name: _short(value, longest_value, field) for name, value in asked.items()}
