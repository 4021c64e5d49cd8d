"""Webhooks: who wants to hear what, and what is sent to them, signed with the app's secret."""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from trueup.sandbox.vendors.shopify.objects import Level, Record
from trueup.sandbox.vendors.shopify.schema import API_VERSION
from trueup.sandbox.vendors.shopify.shop_order import ShopOrder
from trueup.sandbox.vendors.subscribers import Subscriber, Subscribers, hmac_base64

_RESOURCES = (
    "fulfillment_orders",
    "fulfillments",
    "inventory_levels",
    "order_transactions",
    "orders",
    "refunds",
    "returns",
)


@dataclass(slots=True)
class Subscription(Record):
    """One URL that wants to hear of one topic."""

    kind: ClassVar[str] = "WebhookSubscription"
    topic: str
    uri: str
    created_at: datetime
    format: str = "JSON"

    @property
    def updated_at(self) -> datetime:
        return self.created_at


@dataclass(frozen=True, slots=True)
class PlainError:
    """An error without a code."""

    field: list[str] | None
    message: str


@dataclass(frozen=True, slots=True)
class CreatePayload:
    """The answer to a subscription."""

    webhook_subscription: Subscription | None
    user_errors: list[PlainError]


@dataclass(frozen=True, slots=True)
class DeletePayload:
    """The answer to an unsubscription."""

    deleted_webhook_subscription_id: str | None
    user_errors: list[PlainError]


class Subscriptions:
    """One app's subscriptions at one store. They survive a new world, as credentials do."""

    def __init__(
        self, domain: str, secret: str, now: Callable[[], datetime], subscribers: Subscribers[Subscription]
    ) -> None:
        self._domain = domain
        self._secret = secret.encode()
        self._now = now
        self._subscribers = subscribers
        self._next = 1_000_000

    def get(self, subscription_id: str) -> Subscription | None:
        """Look one up."""
        known = self._subscribers.get(subscription_id)
        return None if known is None else known.details

    def create(self, topic: str, content: Mapping[str, Any]) -> CreatePayload:
        """Subscribe a URL to a topic, once."""
        uri = content.get("uri") or ""
        if not uri.startswith(("http://", "https://")):
            error = PlainError(["webhookSubscription", "uri"], "Address is not a valid URL")
            return CreatePayload(None, [error])
        if any(known.url == uri for known in self._subscribers.wanting(topic)):
            error = PlainError(["webhookSubscription", "uri"], "Address for this topic has already been taken")
            return CreatePayload(None, [error])
        self._next += 1
        subscription = Subscription(self._next, topic, uri, self._now(), content.get("format") or "JSON")
        self._subscribers.add(Subscriber(subscription.id, uri, (topic,), subscription))
        return CreatePayload(subscription, [])

    def delete(self, subscription_id: str) -> DeletePayload:
        """Unsubscribe."""
        if not self._subscribers.remove(subscription_id):
            return DeletePayload(None, [PlainError(["id"], "Webhook subscription does not exist")])
        return DeletePayload(subscription_id, [])

    def tell(self, topic: str, about: object) -> None:
        """Send a happening to all who want to hear of it."""
        wanted = self._subscribers.wanting(topic)
        if not wanted:
            return
        body = json.dumps(_payload(about)).encode()
        event_id = str(uuid.uuid4())
        for subscriber in wanted:
            self._subscribers.send(
                subscriber,
                {
                    "X-Shopify-Topic": _topic(topic),
                    "X-Shopify-Hmac-SHA256": hmac_base64(self._secret, body),
                    "X-Shopify-Shop-Domain": self._domain,
                    "X-Shopify-API-Version": API_VERSION,
                    "X-Shopify-Webhook-Id": str(uuid.uuid4()),
                    "X-Shopify-Event-Id": event_id,
                    "X-Shopify-Triggered-At": self._now().isoformat(),
                },
                body,
            )


def _topic(topic: str) -> str:
    """INVENTORY_LEVELS_UPDATE is inventory_levels/update on the wire."""
    lowered = topic.lower()
    resource = next(name for name in _RESOURCES if lowered.startswith(f"{name}_"))
    return f"{resource}/{lowered.removeprefix(f'{resource}_')}"


def _payload(about: object) -> dict[str, Any]:
    match about:
        case Level():
            return {
                "inventory_item_id": about.item.number,
                "location_id": about.location.number,
                "available": about.quantity("available"),
                "updated_at": about.updated_at.isoformat(),
                "admin_graphql_api_id": about.id,
            }
        case ShopOrder():
            return {
                "id": about.number,
                "admin_graphql_api_id": about.id,
                "name": about.name,
                "created_at": about.created_at.isoformat(),
                "updated_at": about.updated_at.isoformat(),
                "cancelled_at": None if about.cancelled_at is None else about.cancelled_at.isoformat(),
                "test": about.test,
                "currency": about.currency_code,
                "line_items": [
                    {
                        "id": line.number,
                        "admin_graphql_api_id": line.id,
                        "sku": line.sku,
                        "name": line.name,
                        "quantity": line.quantity,
                        "current_quantity": line.current_quantity,
                        "variant_id": None if line.variant is None else line.variant.number,
                    }
                    for line in about.lines.values()
                ],
            }
        case Record():
            order: ShopOrder = getattr(about, "order")  # noqa: B009 - whatever a topic is about has one
            return {"id": about.number, "admin_graphql_api_id": about.id, "order_id": order.number}
        case _:
            raise TypeError(f"no webhook tells of a {type(about).__name__}")
