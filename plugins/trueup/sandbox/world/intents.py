"""What people in the world set out to do, decided ahead and without looking at what any channel shows.

So two ways of syncing the same world meet the same customers, deliveries and mishaps.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line somebody wants. `sku` None: no product, such as postage; `code` is what is keyed in."""

    sku: str | None
    code: str
    title: str
    quantity: int
    unit_price_minor: int


@dataclass(frozen=True, slots=True)
class Intent:
    """`at`: seconds from the world's start. `key` is unique and names the dice of all that follows from it."""

    at: int
    key: str


@dataclass(frozen=True, slots=True)
class ShopVisit(Intent):
    """A customer comes to a channel. `invoice` and `customer` are set where a real invoice is replayed."""

    channel_id: str
    lines: tuple[Wanted, ...]
    country: str
    invoice: str | None = None
    customer: str | None = None


@dataclass(frozen=True, slots=True)
class TillVisit(Intent):
    """A customer takes goods to a till."""

    location_id: str
    lines: tuple[Wanted, ...]
    invoice: str | None = None


@dataclass(frozen=True, slots=True)
class WholesaleCall(Intent):
    """A trade customer orders by telephone; the clerk keys it into the ERP."""

    lines: tuple[Wanted, ...]


@dataclass(frozen=True, slots=True)
class Delivery(Intent):
    """A supplier's lorry."""

    location_id: str
    lines: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Mishap(Intent):
    """Units break (`is_noticed`, so they are booked) or vanish (nobody knows until a count)."""

    location_id: str
    sku: str
    quantity: int
    is_noticed: bool
    memo: str = ""


@dataclass(frozen=True, slots=True)
class CountRound(Intent):
    """Somebody counts these products at a location."""

    location_id: str
    skus: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Move(Intent):
    """Goods go from one location to another."""

    from_location_id: str
    to_location_id: str
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class StaffEdit(Intent):
    """Somebody changes a quantity in a channel's own back office."""

    channel_id: str
    sku: str
    change: int


@dataclass(frozen=True, slots=True)
class NightlyCopy(Intent):
    """The ERP copies the other locations' figures into its own."""


@dataclass(frozen=True, slots=True)
class Reversal(Intent):
    """A replayed cancellation: lines that a customer had bought come back, or are never sent.

    `channel_id` None: at a till of `location_id`; else `location_id` takes back what no known order explains.
    """

    channel_id: str | None
    location_id: str
    customer: str | None
    lines: tuple[Wanted, ...]
    invoice: str
