"""What vendors' APIs share: a window of calls, pages by number, JSON bodies, and the door that every request passes.

A vendor says how its answers look; when one is refused is decided here, the same for all.
"""

import json
import math
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trueup.sandbox.vendors.shop_books import ShopBooks, Stocked
from trueup.sandbox.vendors.simulator import Simulator, Storefront, opened
from trueup.sandbox.webhooks import Courier
from trueup.sandbox.world.catalogue import Product
from trueup.sandbox.world.entries import Entry
from trueup.sandbox.world.faults import Faults
from trueup.sandbox.world.world import World

Item = TypeVar("Item")


class Refusal(Exception, ABC):
    """The vendor does not do what was asked; `response` is its own way to say so."""

    @abstractmethod
    def response(self) -> Response:
        """The answer to send."""


def json_object(content: bytes, not_json: Refusal, no_object: Refusal) -> dict[str, Any]:
    """Read a request's body; the refusals where it is no JSON, or no object."""
    try:
        body = json.loads(content)
    except ValueError as error:
        raise not_json from error
    if not isinstance(body, dict):
        raise no_object
    return body


def no_such(
    resource: Callable[[Request], Refusal], method: Callable[[Request], Refusal]
) -> dict[Any, Callable[[Request, Exception], Any]]:
    """How an app says no to an address that it does not have, and to a method that an address does not take."""

    def refusing(refusal: Callable[[Request], Refusal]) -> Callable[[Request, Exception], Any]:
        async def answer(request: Request, _error: Exception) -> Response:
            return refusal(request).response()

        return answer

    return {404: refusing(resource), 405: refusing(method)}


class Window:
    """At most `limit` calls in any `seconds`, on real time, as vendors count."""

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self.seconds = seconds
        self._clock = clock
        self._calls: deque[float] = deque()

    def take(self) -> float | None:
        """Count a call; seconds to wait where the window is full, None where it was not."""
        now = self._clock()
        while self._calls and self._calls[0] <= now - self.seconds:
            self._calls.popleft()
        if len(self._calls) >= self.limit:
            return self._calls[0] + self.seconds - now
        self._calls.append(now)
        return None

    @property
    def left(self) -> int:
        """Calls that the window still has room for."""
        return max(0, self.limit - len(self._calls))

    @property
    def reset_seconds(self) -> float:
        """Until the window is empty again if nobody calls."""
        return max(0.0, self._calls[-1] + self.seconds - self._clock()) if self._calls else 0.0

    def clear(self) -> None:
        """Forget all calls."""
        self._calls.clear()


Handler = Callable[[Request, dict[str, Any]], Response]
"""Answers a request; its second argument is the JSON body, {} where the method has none."""


class GuardedApi(Simulator):
    """An API over JSON, with a fixed token and a window of calls that `/world/tuning` sets by the name `tuned`."""

    tuned = ""

    def __init__(
        self, system_id: str, world: World, faults: Faults, courier: Courier, *, token: str, window: Window
    ) -> None:
        super().__init__(system_id, world, faults, courier)
        self.token = token
        self.window = window

    def expire_tokens(self) -> None:
        """Do nothing: such a token has no end but its revocation."""

    def secrets(self) -> Sequence[str]:
        return (self.token,)

    def tuning(self, settings: Mapping[str, Any]) -> None:
        for name, value in settings.items():
            if name != self.tuned:
                raise KeyError(name)
            self.window.limit = int(value)

    @abstractmethod
    def is_let_in(self, request: Request) -> bool:
        """Whether the request carries good credentials."""

    @abstractmethod
    def turned_away(self) -> Response:
        """The answer to a request without them."""

    @abstractmethod
    def asked_to_wait(self, seconds: int) -> Response:
        """The answer where the window is full for so long."""

    @abstractmethod
    def not_json(self, what: str) -> Refusal:
        """How the vendor says that a body is no JSON object."""

    def marks(self) -> Mapping[str, str]:
        """Headers of every answer, such as what is left of the quota."""
        return {}

    def before(self, request: Request, body: Mapping[str, Any]) -> None:
        """Look at a request that was let in; raises a `Refusal` where a fault says so."""

    def route(self, method: str, path: str, answer: Handler) -> Route:
        """Return the route: credentials and quota first, then the answer, under the world's lock."""

        async def guarded(request: Request) -> Response:
            content = await request.body()
            if not self.is_let_in(request):
                return self.turned_away()
            waiting = self.window.take()
            if waiting is not None:
                return self.asked_to_wait(max(1, math.ceil(waiting)))
            try:
                body = self._body(content) if method in ("POST", "PUT") else {}
                self.before(request, body)
                with self.world.lock:
                    response = answer(request, body)
            except Refusal as refusal:
                response = refusal.response()
            response.headers.update(self.marks())
            return response

        return Route(path, guarded, methods=[method])

    def _body(self, content: bytes) -> dict[str, Any]:
        not_json = self.not_json("The request body is not JSON.")
        return json_object(content, not_json, self.not_json("The request body is not an object."))


class ShopStorefront(Simulator):
    """A plain shop over `ShopBooks`: one channel, sold from one location."""

    _books: ShopBooks | None = None

    @property
    def books(self) -> ShopBooks:
        """The books as they are; `RuntimeError` before the world's first reset."""
        return opened(self._books)

    def safety_of(self, product: Product) -> int:
        """Units that the shop itself keeps back: of every tenth product, and nobody may count them as sellable."""
        return 2 if product.number % 10 == 0 else 0

    def reset(self) -> None:
        self._books = self.open_books()

    def open_books(self) -> ShopBooks:
        """Books of a world that begins; a vendor with more to keep has its own."""
        return ShopBooks(self.world, self.world.layout.channel_of(self.system_id), self.safety_of)

    def record(self, entry: Entry) -> None:
        self.books.record(entry)

    def storefronts(self) -> Mapping[str, Storefront]:
        return {self.books.channel.channel_id: self}

    def shown(self, sku: str) -> int | None:
        """What a customer can buy."""
        stocked = self.books.stock.get(sku)
        return None if stocked is None else max(0, stocked.available)

    def edit(self, sku: str, quantity: int) -> None:
        """Staff set what is to be sold."""
        self.books.stock[sku].set_available(quantity)

    def write(self, stocked: Stocked, on_hand: int) -> None:
        """Set what is on hand over the API."""
        before, stocked.on_hand = stocked.available, on_hand
        self.world.note_channel_write(
            self.books.channel.channel_id, stocked.product.sku, before, stocked.available, "api"
        )


class ShopApi(ShopStorefront, GuardedApi):
    """A plain shop behind a guarded API."""

    def reset(self) -> None:
        super().reset()
        self.window.clear()


@dataclass(frozen=True, slots=True)
class Paged:
    """What a request asks of a list: the page, from 1 on, and its size."""

    number: int
    size: int

    @classmethod
    def of(cls, request: Request, most: int, default: int, refusal: Refusal) -> "Paged":
        """Read `page` and `limit`; the refusal where they are none, or more than `most` at once."""
        query = request.query_params
        try:
            paged = cls(int(query.get("page", 1)), int(query.get("limit", default)))
        except ValueError:
            raise refusal from None
        if paged.number < 1 or not 1 <= paged.size <= most:
            raise refusal
        return paged

    def cut(self, items: Sequence[Item]) -> Sequence[Item]:
        """The page's items."""
        return items[(self.number - 1) * self.size : self.number * self.size]

    def pages(self, items: Sequence[Item]) -> int:
        """How many pages there are."""
        return math.ceil(len(items) / self.size)


def number_in(request: Request, name: str, refusal: Refusal) -> int:
    """A number out of a query, 0 where there is none; the refusal where it is something else."""
    asked = request.query_params.get(name, "0")
    if not asked.isdecimal():
        raise refusal
    return int(asked)


def moment_in(asked: str | None, refusal: Refusal) -> datetime | None:
    """A time out of a query, None where there is none; the refusal where it is no ISO 8601."""
    if asked is None:
        return None
    try:
        return datetime.fromisoformat(asked).astimezone(UTC)
    except ValueError:
        raise refusal from None
