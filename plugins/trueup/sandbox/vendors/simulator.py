"""How a vendor's simulator plugs into the world.

A simulator is two things in one object: the vendor's *books* and the vendor's *API* over them.

Books. `reset` builds them from `world.opening_levels(system_id)`, `world.catalogue` and, for a channel,
`world.opening_listing(channel_id)`. From then on the world calls `record(entry)` for each thing the vendor
records, in the order of `recorded_at`, holding `world.lock`. The world decides all delays: a simulator never
schedules anything and never looks at the truth. `StockBook` (books.py) keeps the figures and their (sometimes
lying) timestamps; build on it, so that the naive baseline and the simulator read the same books.

API. `app` is any ASGI app (Starlette, FastAPI), mounted at `/<system_id>` with its own paths below
(`/shopify_main/admin/api/...`). Handlers are `async def`, take `with self.world.lock:` around what reads or
changes books, and never block. Before each request the server lets the world catch up; after it, the answer
gets `Date` from the world's clock, but for paths in `real_time_paths` (token endpoints), which live on ours.

Faults. The server runs every request through `FaultLayer` (faults.py): 429, 5xx, slow, lost answers, damaged
bodies and expired tokens need only `fault_response` and `expire_tokens` here. Faults that the vendor's own
code must show are asked for: `self.faults.strikes(self.system_id, FaultKind.STALE_CURSOR)` in the handler, true
when it should happen now. `Entry.moves_timestamp` already carries the timestamp that does not move. Webhooks go
out through `self.courier.send(...)`, which doubles and reorders them when told to.

Registration. A vendor's simulator.py names its class as `SIMULATOR`; systems.py finds it by the tenant's declaration.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from starlette.responses import Response
from starlette.types import ASGIApp

from trueup.sandbox.world.entries import Entry

if TYPE_CHECKING:
    from trueup.sandbox.webhooks import Courier
    from trueup.sandbox.world.faults import FaultKind, Faults
    from trueup.sandbox.world.world import World


Books = TypeVar("Books")


def opened(books: Books | None) -> Books:
    """The books; `RuntimeError` before the world's first reset."""
    if books is None:
        raise RuntimeError("the world has not been reset yet, so there are no books")
    return books


class Storefront(Protocol):
    """Where customers see a quantity."""

    def shown(self, sku: str) -> int | None:
        """What the channel lets a customer buy now; None where it does not list the product."""
        ...

    def edit(self, sku: str, quantity: int) -> None:
        """Somebody of the shop's staff sets the quantity by hand."""
        ...


class Book(Protocol):
    """What the world needs of a vendor: somewhere to write."""

    system_id: str

    def reset(self) -> None:
        """Throw the books away and open them anew from the world as it is."""
        ...

    def record(self, entry: Entry) -> None:
        """Write one entry. Called under `world.lock`, in order of `recorded_at`."""
        ...

    def storefronts(self) -> Mapping[str, Storefront]:
        """The channels this system runs, by channel id; empty for most."""
        ...


@dataclass(frozen=True, slots=True)
class OrderDocument:
    """A channel's order as one vendor's books have it, whether the channel's own document or a booking of it.

    `total` is in whole `currency`. `is_changed`: lines were edited, or something was given back, since it was placed.
    `kept_amount`: what the customer has paid, less all that went back; None where it was edited, or exchanged for
    something else. `reported_units`: that the customer was told are under way; None of a booking.
    """

    channel_id: str
    name: str
    currency: str
    total: Decimal
    is_cancelled: bool
    is_changed: bool = False
    kept_amount: Decimal | None = None
    reported_units: int | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """An Airflow connection, as JSON would have it. The secrets are random and new at every start."""

    conn_type: str
    host: str
    login: str | None = None
    password: str | None = None
    extra: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """The object that Airflow's `AIRFLOW_CONN_...` variables and secrets files take."""
        fields = {"conn_type": self.conn_type, "host": self.host, "login": self.login, "password": self.password}
        content: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
        if self.extra:
            content["extra"] = dict(self.extra)
        return content


class Simulator(ABC):
    """One vendor's books and API. Subclasses call `super().__init__` and build books in `reset`."""

    real_time_paths: Sequence[str] = ()

    def __init__(self, system_id: str, world: "World", faults: "Faults", courier: "Courier") -> None:
        self.system_id = system_id
        self.world = world
        self.faults = faults
        self.courier = courier

    @property
    @abstractmethod
    def app(self) -> ASGIApp:
        """The API, mounted at `/<system_id>`. The same object at every access."""

    @abstractmethod
    def connection(self, base_url: str) -> Connection:
        """How to reach it. `base_url` ends with `/<system_id>`."""

    @abstractmethod
    def reset(self) -> None:
        """Build the books anew from the world. Credentials survive."""

    @abstractmethod
    def record(self, entry: Entry) -> None:
        """Write one entry into the books."""

    @abstractmethod
    def fault_response(self, kind: "FaultKind", retry_after_seconds: int) -> Response:
        """The vendor's own words for `RATE_LIMITED` (with its own headers) and `SERVER_ERROR`."""

    @abstractmethod
    def expire_tokens(self) -> None:
        """Make every token handed out so far invalid. The long-lived secrets of `connection` stay good."""

    def storefronts(self) -> Mapping[str, Storefront]:
        """The channels this system runs; none unless it says so."""
        return {}

    def amend_movement(self, entry: "Entry", movement: str, quantity: int | None) -> None:
        """Somebody corrects a movement in the books; `quantity` None: deletes it. `entry` says when.

        Only the books change, no shelf. `ValueError` where there is no such movement, or the vendor lets nobody.
        """
        wish = "deleted" if quantity is None else f"set to {quantity}"
        raise ValueError(f"{entry.system_id} keeps what it recorded: movement {movement} cannot be {wish}")

    def order_documents(self) -> Sequence[OrderDocument]:
        """The orders of channels in these books, for those who check a sync against them; none unless it says so."""
        return ()

    def secrets(self) -> Sequence[str]:
        """Everything that must not appear in a recording."""
        return ()

    def separate_barcodes(self) -> Sequence[str]:
        """Give every product that shares its barcode one of its own; their SKUs. Only the ERP keeps barcodes."""
        return ()

    def tuning(self, settings: Mapping[str, Any]) -> None:
        """Take budgets from `/world/tuning`, such as points a second; unknown names raise `KeyError`."""
        for name in settings:
            raise KeyError(name)

    @staticmethod
    def new_secret(prefix: str = "") -> str:
        """A credential nobody has seen before."""
        return prefix + secrets.token_hex(20)
