"""Facts on their way from a system into raw: records, pages and cursors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

Cursor = Mapping[str, Any]
"""A stream's position, as JSON. Only the connector that made it can read it."""


class StreamKind(StrEnum):
    """State: an object as it is now. Event: something that happened, immutable."""

    STATE = "state"
    EVENT = "event"


class ReadMode(StrEnum):
    """Poll: what changed since the cursor. Sweep: everything there is."""

    POLL = "poll"
    SWEEP = "sweep"


class Arrival(StrEnum):
    """How a record reached us; `raw.*.arrival`."""

    POLL = "poll"
    SWEEP = "sweep"
    WEBHOOK = "webhook"
    FILE = "file"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Record:
    """One fact as the system reported it.

    `payload` is the vendor's own JSON object; None is a tombstone. `occurred_at` is the source's
    clock, None where it gives none. `correlation_id` is None where the source gave no id to follow.
    """

    source_key: str
    payload: Mapping[str, Any] | None
    source_version: str | None = None
    occurred_at: datetime | None = None
    correlation_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What one request brought, and where the stream stands after it.

    `as_of`: the source's clock at which everything on the page was true, never later than the truth.
    `cursor`: to be stored with the records, None to leave the stored one alone.
    `is_last`: the read is complete with this page. Only then may a sweep conclude deletions.
    `is_partial`: the system does not show us all there is. A sweep with such a page concludes no deletions.
    `covers_since`: a sweep's page shows only records that happened since then, by their own `occurred_at`; the sweep
    concludes nothing about older ones. None: it shows records of any age.
    `damaged`: raw pieces that could not be read as records at all, with the reason.
    """

    records: Sequence[Record]
    as_of: datetime
    cursor: Cursor | None = None
    is_last: bool = False
    is_partial: bool = False
    damaged: Sequence[tuple[str, str]] = ()
    covers_since: datetime | None = None
