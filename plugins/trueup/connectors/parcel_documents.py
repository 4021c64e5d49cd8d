"""Which parcel of a channel is the one that a document means: pure rules.

Channels give a parcel no id of ours, or none that can be asked for, so ours is known by what is in it: the order, the
location, the units of each order line, and its tracking numbers.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from trueup.connectors.document_fields import BadDocument, rows, text, text_or_none, texts, units
from trueup.connectors.reading import moment_or_none

GONE = frozenset({"CANCELLED", "ERROR", "FAILURE"})
_CLOCKS_APART = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Parcel:
    """What left one location for one order. `lines`: units by order line. `carrier`: as it was spelled.

    `instead`: of a line, the order's other lines of the same product: which of them is meant, the channel says.
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
    """A parcel that the channel knows. `location_ref` None: it names none, or one that is gone."""

    fulfilment_ref: str
    status: str
    location_ref: str | None
    created_at: datetime | None
    unit_count: int
    tracking_numbers: frozenset[str]


def parcel_of(content: Mapping[str, Any]) -> Parcel:
    """Read a document; raises `BadDocument` where it could mean two things."""
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
    shipped_at = text_or_none(content, "shipped_at")
    moment = None if shipped_at is None else moment_or_none(shipped_at)
    if shipped_at is not None and moment is None:
        raise BadDocument("the document's shipped_at is no time")
    return Parcel(
        order_ref=text(content, "order_ref"),
        location_ref=text(content, "location_ref"),
        lines=lines,
        instead=instead,
        carrier=carrier,
        tracking_numbers=numbers,
        tracking_urls=urls,
        shipped_at=moment,
        is_customer_notified=content.get("notify_customer") is True,
    )


def candidates(parcel: Parcel, known: Collection[KnownParcel]) -> list[KnownParcel]:
    """Which of the channel's parcels may be this one, before their lines are known."""
    found = []
    for each in known:
        if each.status in GONE or each.location_ref not in (parcel.location_ref, None):
            continue
        if parcel.tracking_numbers:
            if each.tracking_numbers & set(parcel.tracking_numbers):
                found.append(each)
        elif each.unit_count == sum(parcel.lines.values()) and not _is_older(parcel, each):
            found.append(each)
    return found


def _is_older(parcel: Parcel, known: KnownParcel) -> bool:
    """Whether the channel had it long before this one left: an equal parcel, and another one."""
    if parcel.shipped_at is None or known.created_at is None:
        return False
    return known.created_at < parcel.shipped_at - _CLOCKS_APART


def is_same(parcel: Parcel, known: KnownParcel, lines: Mapping[str, int]) -> bool:
    """Whether a candidate is this parcel: the same units and all its numbers; the channel may have added others."""
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
