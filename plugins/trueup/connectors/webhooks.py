"""Vendors' webhooks: what proves that one came from the vendor.

A webhook is a bell, not a record: it comes twice, late, out of order or never, and its fields are not the
stream's. So nothing of its content is believed; a genuine one has its system polled now instead of at the next turn.
"""

import base64
import contextlib
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent

_OLDEST_SECONDS: Final = 300.0
_LONGEST_TOLD: Final = 100
_LONGEST_TIME: Final = 12
_MOST_SIGNATURES: Final = 10


@dataclass(frozen=True, slots=True)
class Notice:
    """A genuine webhook. `notice_id` is the vendor's, the same for a repeated delivery; both are cut to 100 letters."""

    notice_id: str
    topic: str


class NotGenuine(Exception):
    """Not signed as the vendor signs. Its words are safe to answer with: they quote nothing that was sent."""


Verify = Callable[[ConnectionDetails, Mapping[str, str], bytes], Notice]
"""Takes the connection, the headers (names in lower case) and the body as it came; raises `NotGenuine`."""


def verify_shopify(details: ConnectionDetails, headers: Mapping[str, str], body: bytes) -> Notice:
    """HMAC-SHA256 of the body by the app's client secret, in `X-Shopify-Hmac-SHA256`.

    Source: shopify.dev/docs/apps/build/webhooks/subscribe/https, "Verify the origin".
    """
    _check(headers, "x-shopify-hmac-sha256", _signed(_secret(details, "client_secret").encode(), body))
    return _notice(
        headers.get("x-shopify-event-id") or headers.get("x-shopify-webhook-id"), headers.get("x-shopify-topic")
    )


def verify_shipbob(
    details: ConnectionDetails, headers: Mapping[str, str], body: bytes, *, clock: Callable[[], float] = time.time
) -> Notice:
    """Standard Webhooks: id, time and body signed together, several signatures while a secret is replaced.

    Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md; the secret is base64 after
    `whsec_`, a time more than five minutes off is refused.
    """
    number, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    # Its length first: Python refuses to make a number of thousands of digits.
    is_time = len(sent_at) <= _LONGEST_TIME and sent_at.isascii() and sent_at.isdecimal()
    if not is_time or abs(clock() - int(sent_at)) > _OLDEST_SECONDS:
        raise NotGenuine("webhook-timestamp is missing or more than five minutes off")
    key: bytes | None = None
    # Outside any handler: an error of the decoder must not come along with ours.
    with contextlib.suppress(ValueError):
        key = base64.b64decode(_secret(details, "webhook_secret").removeprefix("whsec_"), validate=True)
    if key is None:
        raise Permanent(
            f"connection '{details.conn_id}': webhook_secret is not base64 after 'whsec_'; copy it again from ShipBob"
        )
    expected = f"v1,{_signed(key, f'{number}.{sent_at}.'.encode() + body)}"
    _check(headers, "webhook-signature", expected, are_several=True)
    return _notice(number, headers.get("x-webhook-topic"))


def verify_square(details: ConnectionDetails, headers: Mapping[str, str], body: bytes) -> Notice:
    """HMAC-SHA256 of the notification URL and the body by the subscription's signature key.

    Source: developer.squareup.com/docs/webhooks/step3validate. The URL is the one that Square was given, whatever a
    proxy made of it on the way.
    """
    url = str(details.extra.get("webhook_url") or "")
    if not url:
        raise Permanent(
            f"connection '{details.conn_id}' has no webhook_url; set it to the notification URL of the subscription"
        )
    key = _secret(details, "webhook_secret").encode()
    _check(headers, "x-square-hmacsha256-signature", _signed(key, url.encode() + body))
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        told = None
    facts = told if isinstance(told, Mapping) else {}
    return _notice(facts.get("event_id"), facts.get("type"))


def _secret(details: ConnectionDetails, name: str) -> str:
    secret = details.extra.get(name)
    if not isinstance(secret, str) or not secret:
        raise Permanent(
            f"connection '{details.conn_id}' has no {name}: no webhook can be told from a forged one; add what the"
            " vendor signs with, or delete the subscription there"
        )
    return secret


def _signed(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def _check(headers: Mapping[str, str], name: str, expected: str, *, are_several: bool = False) -> None:
    told = headers.get(name, "")
    signatures = told.split(" ", _MOST_SIGNATURES)[:_MOST_SIGNATURES] if are_several else [told]
    # Bytes: strings that are not ASCII cannot be compared in constant time.
    if not any(hmac.compare_digest(one.encode(), expected.encode()) for one in signatures):
        raise NotGenuine(f"{name} is missing or does not fit")


def _notice(notice_id: object, topic: object) -> Notice:
    return Notice(str(notice_id or "untold")[:_LONGEST_TOLD], str(topic or "untold")[:_LONGEST_TOLD])
