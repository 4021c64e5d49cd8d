"""ShipBob's webhooks: Standard Webhooks, signed over id, time and body with the subscription's secret."""

import base64
import itertools
import json
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from trueup.sandbox.vendors.shipbob.errors import ApiError
from trueup.sandbox.vendors.shipbob.identifiers import timestamp
from trueup.sandbox.vendors.subscribers import Subscriber, Subscribers, hmac_base64, is_secure
from trueup.sandbox.webhooks import Courier

# Those of the contract that the sandbox takes; nothing of it charges, and no carrier scans on the way.
TOPICS: Final = (
    "order.shipped",
    "order.shipment.cancelled",
    "order.shipment.tracking.updated",
    "order.shipment.delivered",
    "order.shipment.exception",
    "order.shipment.on_hold",
    "return.created",
    "return.updated",
    "return.completed",
    "billing.charge.created",
    "billing.refund.created",
    "billing.credit.created",
)


class Notices:
    """Who wants to be told what, and the telling. Subscriptions outlive a reset of the world."""

    def __init__(
        self, system_id: str, courier: Courier, now: Callable[[], datetime], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._now = now
        self._clock = clock
        self._numbers = itertools.count(1581)
        self._messages = itertools.count(1)
        self._subscribers: Subscribers[dict[str, Any]] = Subscribers(system_id, courier)

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Subscribe; the only answer that shows the secret."""
        topics, url = body.get("topics"), body.get("url")
        if not isinstance(topics, list) or not topics or not set(topics) <= set(TOPICS):
            raise ApiError(f"topics must be some of {', '.join(TOPICS)}.", 422)
        if not is_secure(url):
            raise ApiError("url must be https.", 422)
        secret = body.get("secret")
        if secret is None:
            secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        _key_of(str(secret))
        number = str(next(self._numbers))
        shown = {
            "id": number,
            "url": url,
            "topics": topics,
            "description": body.get("description"),
            "created_at": timestamp(self._now()),
        }
        self._subscribers.add(Subscriber(number, str(url), topics, shown, str(secret)))
        return {**shown, "secret": str(secret)}

    def listed(self) -> dict[str, Any]:
        """All subscriptions, without their secrets."""
        items = [{**subscriber.details, "enabled": True} for subscriber in self._subscribers.all()]
        return {"items": items, "next": None, "prev": None}

    def delete(self, number: str) -> None:
        """End a subscription; one that is not there is ended already."""
        self._subscribers.remove(number)

    def secrets(self) -> list[str]:
        """The secrets in use."""
        return self._subscribers.secrets()

    def tell(self, topic: str, content: Mapping[str, Any]) -> None:
        """Send a topic to everybody who wants it."""
        body = json.dumps(content).encode()
        for subscriber in self._subscribers.wanting(topic):
            number, sent_at = f"msg_{next(self._messages):027d}", str(int(self._clock()))
            headers = {
                "webhook-id": number,
                # On real time, whatever the world's clock says: receivers refuse what is too old.
                "webhook-timestamp": sent_at,
                "webhook-signature": signature(subscriber.secret, number, sent_at, body),
                "x-webhook-topic": topic,
            }
            self._subscribers.send(subscriber, headers, body)


def signature(secret: str, number: str, sent_at: str, body: bytes) -> str:
    """What `webhook-signature` must be."""
    signed = f"{number}.{sent_at}.".encode() + body
    return f"v1,{hmac_base64(_key_of(secret), signed)}"


def _key_of(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError as error:
        raise ApiError("secret must be base64 after 'whsec_'.", 422) from error
