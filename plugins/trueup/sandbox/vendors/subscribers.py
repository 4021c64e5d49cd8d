"""Who wants to be told what by webhook. What a vendor tells, and how it signs, it says itself."""

import base64
import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from trueup.sandbox.webhooks import Courier

T = TypeVar("T")
_LOCAL = ("http://127.0.0.1", "http://localhost")


@dataclass(frozen=True, slots=True)
class Subscriber(Generic[T]):
    """One subscription. `details`: what the vendor shows of it. Its deliveries are signed with `secret`."""

    number: str
    url: str
    topics: Collection[str]
    details: T
    secret: str = ""
    is_enabled: bool = True


class Subscribers(Generic[T]):
    """One system's subscriptions. They outlive a reset of the world, as credentials do."""

    def __init__(self, system_id: str, courier: Courier) -> None:
        self._system_id = system_id
        self._courier = courier
        self._known: dict[str, Subscriber[T]] = {}

    def add(self, subscriber: Subscriber[T]) -> None:
        """Begin to tell it."""
        self._known[subscriber.number] = subscriber

    def get(self, number: str) -> Subscriber[T] | None:
        """Look one up."""
        return self._known.get(number)

    def all(self) -> Sequence[Subscriber[T]]:
        """Every subscription, in the order in which they were made."""
        return list(self._known.values())

    def remove(self, number: str) -> bool:
        """End one; whether there was one."""
        return self._known.pop(number, None) is not None

    def secrets(self) -> list[str]:
        """The secrets in use."""
        return [subscriber.secret for subscriber in self._known.values()]

    def wanting(self, topic: str) -> Sequence[Subscriber[T]]:
        """Who is to be told of it."""
        return [each for each in self._known.values() if each.is_enabled and topic in each.topics]

    def send(self, subscriber: Subscriber[T], headers: Mapping[str, str], body: bytes) -> None:
        """Deliver a JSON body, with the headers that sign it."""
        self._courier.send(self._system_id, subscriber.url, {"content-type": "application/json", **headers}, body)


def is_secure(url: object) -> bool:
    """Whether it is an address that vendors deliver to: https, or this machine's own."""
    return isinstance(url, str) and url.startswith(("https://", *_LOCAL))


def hmac_base64(key: bytes, message: bytes) -> str:
    """HMAC-SHA256 of the message in base64, as most vendors sign."""
    return base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
