"""Square's webhooks: subscriptions, and events signed over the address and the body together."""

import hashlib
import itertools
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from trueup.sandbox.vendors.square.errors import ApiError
from trueup.sandbox.vendors.square.identifiers import MERCHANT, timestamp
from trueup.sandbox.vendors.subscribers import Subscriber, Subscribers, hmac_base64, is_secure
from trueup.sandbox.webhooks import Courier

EVENT_TYPES: Final = (
    "inventory.count.updated",
    "order.created",
    "order.updated",
    "order.fulfillment.updated",
    "payment.created",
    "payment.updated",
    "refund.created",
    "refund.updated",
)
_MAX_KEY: Final = 45


class Notices:
    """Who wants to be told what, and the telling. Subscriptions outlive a reset of the world."""

    def __init__(self, system_id: str, courier: Courier, now: Callable[[], datetime]) -> None:
        self._now = now
        self._numbers = itertools.count(1)
        self._subscribers: Subscribers[dict[str, Any]] = Subscribers(system_id, courier)
        self._by_key: dict[str, str] = {}

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """CreateWebhookSubscription."""
        content = body.get("subscription")
        if not isinstance(content, dict):
            raise ApiError("MISSING_REQUIRED_PARAMETER", "Missing required parameter.", "subscription")
        key = body.get("idempotency_key")
        if isinstance(key, str) and len(key) > _MAX_KEY:
            raise ApiError("VALUE_TOO_LONG", f"At most {_MAX_KEY} characters are allowed.", "idempotency_key")
        known = self._subscribers.get(self._by_key[key]) if isinstance(key, str) and key in self._by_key else None
        if known is not None:
            return {"subscription": _with_key(known)}
        types, url = content.get("event_types"), content.get("notification_url")
        if not isinstance(types, list) or not types or not set(types) <= set(EVENT_TYPES):
            raise ApiError("INVALID_VALUE", f"Known event types: {', '.join(EVENT_TYPES)}.", "subscription.event_types")
        if not is_secure(url):
            raise ApiError("INVALID_VALUE", "The notification URL must be https.", "subscription.notification_url")
        number = f"wbhk_{next(self._numbers):024d}"
        moment = self._now().strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
        shown = {
            "id": number,
            "name": str(content.get("name") or "Webhook"),
            "enabled": content.get("enabled", True) is True,
            "event_types": types,
            "notification_url": url,
            "api_version": "2025-08-20",
            "created_at": moment,
            "updated_at": moment,
        }
        secret = secrets.token_urlsafe(16)
        subscriber = Subscriber(number, str(url), types, shown, secret, is_enabled=shown["enabled"] is True)
        self._subscribers.add(subscriber)
        if isinstance(key, str):
            self._by_key[key] = number
        return {"subscription": _with_key(subscriber)}

    def listed(self) -> dict[str, Any]:
        """ListWebhookSubscriptions; the keys are shown at creation only."""
        return {"subscriptions": [subscriber.details for subscriber in self._subscribers.all()]}

    def delete(self, number: str) -> dict[str, Any]:
        """DeleteWebhookSubscription."""
        if not self._subscribers.remove(number):
            raise ApiError("NOT_FOUND", f"Webhook subscription {number} not found.")
        self._by_key = {key: known for key, known in self._by_key.items() if known != number}
        return {}

    def secrets(self) -> list[str]:
        """The signature keys in use."""
        return self._subscribers.secrets()

    def tell_counts(self, counts: Sequence[Mapping[str, Any]]) -> None:
        """Tell of counts that changed."""
        if counts:
            self._tell("inventory.count.updated", "inventory_counts", "", {"inventory_counts": list(counts)})

    def tell_order(self, order: Mapping[str, Any], *, is_new: bool) -> None:
        """Tell of an order that came or changed."""
        self.tell_change("order.created" if is_new else "order.updated", order)

    def tell_change(self, kind: str, changed: Mapping[str, Any]) -> None:
        """Report an order, a payment or a refund by the event's type; of an order only what tells to read it again."""
        if not kind.startswith("order."):
            name = kind.split(".")[0]
            self._tell(kind, name, changed["id"], {name: dict(changed)})
            return
        name = kind.replace(".", "_")
        facts = {
            "order_id": changed["id"],
            "version": changed["version"],
            "location_id": changed["location_id"],
            "state": changed["state"],
            "created_at": changed["created_at"],
        }
        if kind != "order.created":
            facts["updated_at"] = changed["updated_at"]
        if "fulfillment_update" in changed:
            facts["fulfillment_update"] = changed["fulfillment_update"]
        self._tell(kind, name, changed["id"], {name: facts})

    def _tell(self, kind: str, type_name: str, number: str, content: Mapping[str, Any]) -> None:
        wanted = self._subscribers.wanting(kind)
        if not wanted:
            return
        moment = timestamp(self._now())
        digest = hashlib.sha256(json.dumps([kind, moment, content], sort_keys=True).encode()).hexdigest()
        event_id = f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"
        data = {"type": type_name, "id": number or event_id, "object": content}
        event = {"merchant_id": MERCHANT, "type": kind, "event_id": event_id, "created_at": moment, "data": data}
        body = json.dumps(event).encode()
        for subscriber in wanted:
            headers = {
                "square-version": subscriber.details["api_version"],
                "x-square-hmacsha256-signature": signature(subscriber.secret, subscriber.url, body),
            }
            self._subscribers.send(subscriber, headers, body)


def _with_key(subscriber: Subscriber[dict[str, Any]]) -> dict[str, Any]:
    return {**subscriber.details, "signature_key": subscriber.secret}


def signature(key: str, url: str, body: bytes) -> str:
    """What `x-square-hmacsha256-signature` must be."""
    return hmac_base64(key.encode(), url.encode() + body)
