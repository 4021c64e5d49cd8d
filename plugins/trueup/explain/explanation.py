"""What an explanation consists of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from trueup.domain.quantities import LocationStock, Quantity, available_to_sell
from trueup.explain.explanation_text import lines_of


@dataclass(frozen=True, slots=True)
class LocationTerms:
    """One location that serves the channel. `as_of` is the source's clock, `received_at` ours.

    `withdrawn`: units that are not sold any more, and why. `record` names the raw record that the level rests on, as
    `raw.<system>__<stream> #<record_id>`.
    """

    location_id: str
    location_name: str
    source_system_id: str | None
    on_hand: Quantity
    base: Quantity | None
    movements: Quantity | None
    damaged: Quantity
    quality_control: Quantity
    withdrawn: Quantity
    withdrawn_because: str | None
    sellable: Quantity
    reserved: Quantity
    safety_stock: Quantity
    free: Quantity
    shortfall: Quantity
    as_of: datetime | None
    received_at: datetime | None
    record: str | None


@dataclass(frozen=True, slots=True)
class ReservationTerm:
    """An open order line that holds units of the SKU. `location_id` None: nobody assigned it yet."""

    order_name: str
    channel: str | None
    location_id: str | None
    quantity: Quantity
    ordered_at: datetime | None
    received_at: datetime | None
    record: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What the channel showed when it was last observed. `observed_at` is its clock, `received_at` ours."""

    record_id: str
    quantity: Quantity | None
    allocated: Quantity
    is_listed: bool
    unlisted_because: str | None
    observed_at: datetime | None
    received_at: datetime | None
    record: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Shown less wanted, and why. Ages in seconds, by the hop that the time was spent in."""

    quantity: int
    cause: str
    evidence: Mapping[str, Any]
    detected_at: datetime | None
    age_source_seconds: float | None
    age_landing_seconds: float | None
    age_build_seconds: float | None
    age_queue_seconds: float | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One receipt."""

    attempt: int
    outcome: str
    http_status: int | None
    detail: str
    attempted_at: datetime


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What was read after writing. `as_of` is the channel's clock."""

    observed: int | None
    as_of: datetime
    is_verified: bool


@dataclass(frozen=True, slots=True)
class CorrectionStory:
    """One correction with everything that came of it."""

    correction_id: int
    expected: int | None
    target: int
    cause: str
    status: str
    status_reason: str | None
    proposed_at: datetime
    verified_at: datetime | None
    run_id: str
    attempts: tuple[Attempt, ...]
    read_backs: tuple[ReadBack, ...]


@dataclass(frozen=True, slots=True)
class Withheld:
    """Something that keeps corrections of this SKU from this channel now."""

    by: str
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a channel should show what it should for a SKU. `lines` is the text for a person.

    `is_consistent`: the terms give `available` and `target` when they are computed again. Both are None where what lies
    at a serving location is unknown, and `unknown_because` says why.
    """

    sku: str
    title: str | None
    category: str | None
    channel: str
    shows: str
    locations: tuple[LocationTerms, ...]
    free: Quantity
    shortfall: Quantity
    unassigned: Quantity
    pool: Quantity
    buffer: int
    share: Decimal
    cap: int | None
    available: int | None
    own_allocations: int
    target: int | None
    unknown_because: str | None
    rules: Mapping[str, str]
    facts_as_of: datetime | None
    newest_received_at: datetime | None
    facts_version: str
    reservations: tuple[ReservationTerm, ...]
    shown: Shown | None
    difference: Difference | None
    corrections: tuple[CorrectionStory, ...]
    withheld: tuple[Withheld, ...]
    is_consistent: bool = field(init=False)
    lines: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_consistent", _adds_up(self))
        object.__setattr__(self, "lines", tuple(lines_of(self)))


def _adds_up(it: Explanation) -> bool:
    stocks = [
        LocationStock(
            each.on_hand, each.damaged, each.quality_control, each.reserved, each.safety_stock, each.withdrawn
        )
        for each in it.locations
    ]
    per_location = all(
        (each.sellable, each.free, each.shortfall) == (stock.sellable, stock.free, stock.shortfall)
        for each, stock in zip(it.locations, stocks, strict=True)
    )
    available = available_to_sell(stocks, it.unassigned, it.buffer, it.share, it.cap)
    units = available if it.unknown_because is None else None
    return (
        per_location
        and it.free == sum(each.free for each in it.locations)
        and it.shortfall == sum(each.shortfall for each in it.locations)
        and it.pool == it.free - it.shortfall - it.unassigned
        and it.available == units
        and it.target == (None if units is None else units + it.own_allocations)
    )
