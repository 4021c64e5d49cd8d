"""Vendors' webhooks: what proves that one came from the vendor. Each vendor's own `verify` is in its folder.

A webhook triggers a poll and is no record: it comes twice, late, out of order or never, and its fields are not the
stream's. So nothing of its content is believed; a genuine one has its system polled now instead of at the next turn.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from trueup.connectors.http.answer_body import decoded
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent

_OLDEST_SECONDS: Final = 300.0
_LONGEST_NAME: Final = 100
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

Clock = Callable[[], float]


def our_clock() -> float:
    """Return this machine's time, in seconds since 1970: a webhook's signed time may be minutes old."""
    return time.time()


def verify_standard(
    headers: Mapping[str, str],
    body: bytes,
    *,
    key: bytes,
    topic: object,
    clock: Clock = our_clock,
) -> Notice:
    """Standard Webhooks: id, time and body signed together, several signatures while a secret is replaced.

    `key` signs them, `topic` is what it is about. A time more than five minutes off is refused.
    Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
    """
    number, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    # Its length first: Python refuses to make a number of thousands of digits.
    is_time = len(sent_at) <= _LONGEST_TIME and sent_at.isascii() and sent_at.isdecimal()
    if not is_time or abs(clock() - int(sent_at)) > _OLDEST_SECONDS:
        raise NotGenuine("webhook-timestamp is missing or more than five minutes off")
    expected = f"v1,{signature_of(key, f'{number}.{sent_at}.'.encode() + body)}"
    check_signature(headers, "webhook-signature", expected, are_several=True)
    return notice_of(number, topic)


def secret_of(details: ConnectionDetails, name: str) -> str:
    """Return what the vendor signs with; `Permanent` where the connection lacks it."""
    secret = details.extra.get(name)
    if not isinstance(secret, str) or not secret:
        raise Permanent(
            f"connection '{details.conn_id}' has no {name}: no webhook can be told from a forged one; add what the"
            " vendor signs with, or delete the subscription there"
        )
    return secret


def signature_of(key: bytes, content: bytes) -> str:
    """Return the HMAC-SHA256 in base64."""
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


def check_signature(headers: Mapping[str, str], name: str, expected: str, *, are_several: bool = False) -> None:
    """Raise `NotGenuine` where the header does not carry the expected signature."""
    reported = headers.get(name, "")
    signatures = reported.split(" ", _MOST_SIGNATURES)[:_MOST_SIGNATURES] if are_several else [reported]
    # Bytes: strings that are not ASCII cannot be compared in constant time.
    if not any(hmac.compare_digest(one.encode(), expected.encode()) for one in signatures):
        raise NotGenuine(f"{name} is missing or does not fit")


def json_or_none(body: bytes) -> object:
    """Return the body's JSON, None where it is none."""
    return decoded(body)[0]


def notice_of(notice_id: object, topic: object) -> Notice:
    """Return what a genuine webhook says of itself, cut to a sensible length."""
    return Notice(str(notice_id or "untold")[:_LONGEST_NAME], str(topic or "untold")[:_LONGEST_NAME])
