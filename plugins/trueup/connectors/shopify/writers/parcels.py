"""Which units of which fulfilment orders a parcel takes, and which parcel of a store is the one meant: pure rules.

Shopify gives a fulfilment no id of ours, so ours is known by what is in it: the order, the location, the units of each
order line, and its tracking numbers.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from trueup.connectors.reading import moment_or_none
from trueup.connectors.shopify.writers.carriers import listed_carrier
from trueup.connectors.shopify.writers.fields import BadDocument, rows, text, text_or_none, texts, units

_SENDABLE = frozenset({"OPEN", "IN_PROGRESS"})
_ACTION = "CREATE_FULFILLMENT"
_GONE = frozenset({"CANCELLED", "ERROR", "FAILURE"})
_CLOCKS_APART = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Parcel:
    """What left one location for one order. `lines`: units by order line. `carrier`: as Shopify spells it.

    `instead`: of a line, the order's other lines of the same product: which of them a location is to send, the store's
    fulfilment orders say.
    """

    order_ref: str
    location_ref: str
    lines: Mapping[str, int]
    instead: Mapping[str, tuple[str, ...]]
    carrier: str | None
    tracking_numbers: tuple[str, ...]
    tracking_urls: tuple[str, ...]
    shipped_at: datetime | None
    is_customer_notified: bool


@dataclass(frozen=True, slots=True)
class KnownParcel:
    """A fulfilment of the store. `location_ref` None: the location is gone."""

    fulfilment_ref: str
    status: str
    location_ref: str | None
    created_at: datetime | None
    unit_count: int
    tracking_numbers: frozenset[str]


@dataclass(frozen=True, slots=True)
class PlanLine:
    """Units of an order line that one fulfilment order still has to send."""

    plan_line_ref: str
    line_ref: str
    remaining: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A fulfilment order: what one location is to send."""

    plan_ref: str
    location_ref: str | None
    status: str
    request_status: str
    actions: frozenset[str]
    holds: tuple[str, ...]
    lines: tuple[PlanLine, ...]

    @property
    def is_sendable(self) -> bool:
        """Whether a parcel of it may be reported now."""
        return self.status in _SENDABLE and _ACTION in self.actions

    @property
    def obstacle(self) -> str:
        """Why no parcel of it may be reported, in words."""
        if self.holds or self.status == "ON_HOLD":
            return f"is on hold ({', '.join(self.holds) or 'no reason given'}); release it in Shopify"
        if self.status in _SENDABLE and self.request_status == "SUBMITTED":
            return "waits until its fulfilment service accepts the request"
        if self.status in _SENDABLE:
            return "belongs to a fulfilment service, which reports its parcels itself"
        return f"is {self.status.lower()}"


@dataclass(frozen=True, slots=True)
class Pick:
    """Units of one fulfilment order's line that go into the parcel."""

    plan_ref: str
    plan_line_ref: str
    quantity: int


class NotSendable(Exception):
    """The store's fulfilment orders do not have the units; the message names why. `is_final`: waiting does not help."""

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


def parcel_of(content: Mapping[str, Any]) -> Parcel:
    """Read a document; raises `BadDocument` where Shopify would not take it, or would take it for something else."""
    lines: dict[str, int] = {}
    instead: dict[str, tuple[str, ...]] = {}
    for row in rows(content, "lines"):
        line_ref = text(row, "line_ref")
        lines[line_ref] = lines.get(line_ref, 0) + units(row, "quantity")
        instead[line_ref] = texts(row, "or_line_refs")
    if not lines:
        raise BadDocument("the document has no lines")
    numbers, urls = texts(content, "tracking_numbers"), texts(content, "tracking_urls")
    carrier = text_or_none(content, "carrier")
    if urls and len(urls) != len(numbers):
        raise BadDocument(f"the document has {len(numbers)} tracking numbers and {len(urls)} addresses")
    listed = None if carrier is None else listed_carrier(carrier)
    if carrier is not None and listed is None and numbers and not urls:
        raise BadDocument(
            f"Shopify knows no carrier '{carrier}', so its parcels cannot be followed; map it to one of Shopify's"
            " names, or give an address for each number"
        )
    shipped_at = text_or_none(content, "shipped_at")
    moment = None if shipped_at is None else moment_or_none(shipped_at)
    if shipped_at is not None and moment is None:
        raise BadDocument("the document's shipped_at is no time")
    return Parcel(
        order_ref=text(content, "order_ref"),
        location_ref=text(content, "location_ref"),
        lines=lines,
        instead=instead,
        carrier=listed or carrier,
        tracking_numbers=numbers,
        tracking_urls=urls,
        shipped_at=moment,
        is_customer_notified=content.get("notify_customer") is True,
    )


def candidates(parcel: Parcel, known: Collection[KnownParcel]) -> list[KnownParcel]:
    """Which of the store's parcels may be this one, before their lines are known."""
    found = []
    for each in known:
        if each.status in _GONE or each.location_ref not in (parcel.location_ref, None):
            continue
        if parcel.tracking_numbers:
            if each.tracking_numbers & set(parcel.tracking_numbers):
                found.append(each)
        elif each.unit_count == sum(parcel.lines.values()) and not _is_older(parcel, each):
            found.append(each)
    return found


def _is_older(parcel: Parcel, known: KnownParcel) -> bool:
    """Whether the store had it long before this one left: an equal parcel, and another one."""
    if parcel.shipped_at is None or known.created_at is None:
        return False
    return known.created_at < parcel.shipped_at - _CLOCKS_APART


def is_same(parcel: Parcel, known: KnownParcel, lines: Mapping[str, int]) -> bool:
    """Whether a candidate is this parcel: the same units and all its numbers; the store may have added others."""
    is_alike = _by_product(parcel, lines) == _by_product(parcel, parcel.lines)
    return is_alike and known.tracking_numbers >= set(parcel.tracking_numbers)


def _by_product(parcel: Parcel, lines: Mapping[str, int]) -> Mapping[str, int]:
    """Units, those of lines that may stand for one another together."""
    name_of = {line: min(line_ref, *others) for line_ref, others in parcel.instead.items() if others for line in others}
    found: dict[str, int] = {}
    for line, quantity in lines.items():
        others = parcel.instead.get(line, ())
        name = min(line, *others) if others else name_of.get(line, line)
        found[name] = found.get(name, 0) + quantity
    return found


def has_part(parcel: Parcel, lines: Collection[str]) -> bool:
    """Whether a candidate with these lines holds some of this parcel's, and so is it with another content."""
    ours = {*parcel.lines, *(other for others in parcel.instead.values() for other in others)}
    return bool(parcel.tracking_numbers) and any(line in ours for line in lines)


def picks_for(parcel: Parcel, plans: Sequence[Plan]) -> list[Pick]:
    """Take each line's units from the fulfilment orders of the parcel's location, by the order line's id.

    Not by the item: two lines may have the same one, and a line may be split over two fulfilment orders. Of lines that
    may stand for one another those are taken that the location has. Raises `NotSendable` where they do not have them
    all: all of a parcel is reported, or nothing.
    """
    here = [plan for plan in plans if plan.is_sendable and plan.location_ref == parcel.location_ref]
    remaining = {line.plan_line_ref: line.remaining for plan in here for line in plan.lines}
    taken: dict[tuple[str, str], int] = {}
    for line_ref, quantity in parcel.lines.items():
        left = quantity
        for wanted in (line_ref, *parcel.instead.get(line_ref, ())):
            for plan in here:
                for line in plan.lines:
                    units_here = min(left, remaining[line.plan_line_ref]) if line.line_ref == wanted else 0
                    if units_here > 0:
                        pick = (plan.plan_ref, line.plan_line_ref)
                        taken[pick] = taken.get(pick, 0) + units_here
                        remaining[line.plan_line_ref] -= units_here
                        left -= units_here
        if left:
            raise _missing(parcel, line_ref, quantity - left, plans)
    return [Pick(plan_ref, plan_line_ref, quantity) for (plan_ref, plan_line_ref), quantity in taken.items()]


def _missing(parcel: Parcel, line_ref: str, found: int, plans: Sequence[Plan]) -> NotSendable:
    wanted = parcel.lines[line_ref]
    having = [plan for plan in plans if any(line.line_ref == line_ref for line in plan.lines)]
    if not having:
        return NotSendable(
            f"no fulfilment order has {line_ref}: it needs no shipping, is of another order, or belongs to a service"
            " whose fulfilment orders the app may not see",
            is_final=True,
        )
    open_elsewhere = [
        plan
        for plan in having
        if any(line.line_ref == line_ref and line.remaining > 0 for line in plan.lines)
        and not (plan.is_sendable and plan.location_ref == parcel.location_ref)
    ]
    why = [
        f"{plan.plan_ref} {plan.obstacle}"
        if not plan.is_sendable
        else f"{plan.plan_ref} is assigned to {plan.location_ref} now"
        for plan in open_elsewhere
    ]
    reason = "; ".join(why) or "the others are fulfilled or cancelled there"
    return NotSendable(f"{wanted} units of {line_ref} left {parcel.location_ref} and {found} are open there: {reason}")
