"""Gathers pages into what one transaction lands: canonical JSON, its hash, and one version a key.

Payloads are turned into bytes as their page comes and let go: a million of them as Python objects would not fit the
processor's cache, nor a small machine's memory.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from trueup.contracts.check import Checker
from trueup.domain.errors import Permanent
from trueup.domain.records import Cursor, Record, StreamKind
from trueup.warehouse.storable import canonical_json, is_storable_text, storable_json

HASH_BYTES: Final = 16
SEPARATOR: Final = "\x1f"
"""Stands in no key."""
_LONGEST_KEY = 1000
_LONGEST_KEY_BYTES = 2000  # an index takes no more than 2,700
_FARTHEST_AHEAD = timedelta(days=1)
_UNUSABLE_KEY = f"its key is empty, longer than {_LONGEST_KEY} letters, or holds U+0000, U+001F or half a character"
_AHEAD = "its time lies more than a day ahead of the system's own clock"
_UNTIMED = (
    "a state record came without its time and without its page's: nothing says which version is newer; hand over"
    " `as_of`, the source's clock when it was read"
)
_sha256 = hashlib.sha256


class Candidate(msgspec.Struct, gc=False):
    """One record that may land, and then its row.

    `occurred_at`: for state the source's clock at which it was true, for an event when it happened, None where
    neither says. `changed_at`: the record's own time, where it has one. `payload` None is a tombstone.
    `correlation`: the bytes of the id to follow it by; empty until it gets a new one.
    """

    # Not a dataclass: there are millions, and this is made four times as fast and left alone by the garbage collector.

    source_key: str
    payload: bytes | None
    payload_hash: bytes | None
    source_version: str | None
    occurred_at: datetime | None
    changed_at: datetime | None
    received_at: datetime
    correlation: bytes


@dataclass(slots=True)
class Batch:
    """What one transaction lands, of one stream.

    `is_clean`: what is personal was cut out of all of its records. `reasons`: why a key's record must not land, as far
    as that shows before it is checked against the contract.
    """

    kind: StreamKind
    checker: Checker
    is_clean: bool = field(init=False)
    candidates: dict[str, Candidate] = field(default_factory=dict)
    damaged: list[tuple[str, str]] = field(default_factory=list)
    altered_keys: set[str] = field(default_factory=set)
    reasons: dict[str, str] = field(default_factory=dict)
    cursor: Cursor | None = None
    page_count: int = 0
    read_count: int = 0

    def __post_init__(self) -> None:
        # For all of a batch or for none: what it says of itself is then true of each of its records.
        self.is_clean = self.checker.must_clean

    @property
    def is_empty(self) -> bool:
        """Whether nothing was read into it, not even an empty page."""
        return self.page_count == 0

    def add(self, records: Sequence[Record], as_of: datetime | None, received_at: datetime) -> None:
        """Take in one page's records. `as_of`: the source's clock at which all of them were true, where it is known.

        Of several versions of a key the latest observed stays; of an event that comes twice, the first.
        """
        self.page_count += 1
        self.read_count += len(records)
        moment = None if as_of is None else in_utc(as_of)
        latest = None if moment is None else moment + _FARTHEST_AHEAD
        is_state = self.kind is StreamKind.STATE
        candidates = self.candidates
        for record in records:
            key = record.source_key
            if not 0 < len(key) <= _LONGEST_KEY or not ((key.isascii() and key.isprintable()) or _is_storable_key(key)):
                self._set_aside(record.payload, _UNUSABLE_KEY)
                continue
            reported_at = None if record.occurred_at is None else in_utc(record.occurred_at)
            is_ahead = latest is not None and reported_at is not None and reported_at > latest
            if is_ahead:
                # It cannot be true, and taken for true it would outlast every correction of it.
                reported_at = None
            occurred_at = reported_at
            if is_state:
                # Both are times at which it was true; a record's own is often only when it last changed.
                is_older = reported_at is None or (moment is not None and moment > reported_at)
                occurred_at = moment if is_older else reported_at
                if occurred_at is None:
                    raise Permanent(_UNTIMED)
            known = candidates.get(key)
            if known is not None and (not is_state or _is_before(occurred_at, known.occurred_at)):
                continue
            payload = payload_hash = None
            if record.payload is not None:
                payload = self._written(key, record.payload)
                if payload is None:
                    continue
                payload_hash = hash_of(payload)
            if is_ahead:
                self.reasons[key] = _AHEAD
            elif self.reasons:
                self.reasons.pop(key, None)
            correlation = b"" if record.correlation_id is None else record.correlation_id.bytes
            candidates[key] = Candidate(
                key, payload, payload_hash, record.source_version, occurred_at, reported_at, received_at, correlation
            )

    def _written(self, key: str, content: Mapping[str, Any]) -> bytes | None:
        """The record as JSON, without what is personal; None where it is set aside, for no JSON can be made of it."""
        try:
            if self.is_clean:
                content = self.checker.clean(content)
            payload = canonical_json(content)
            if payload is None:
                # Not landed as it is, for it would not be what the vendor said: a person decides.
                payload = storable_json(content).encode()
                self.altered_keys.add(key)
            elif self.altered_keys:
                self.altered_keys.discard(key)
        except (RecursionError, ValueError) as error:
            self._set_aside({"source_key": key}, f"it cannot be written as JSON: {type(error).__name__}")
            return None
        return payload

    def add_damaged(self, pieces: Iterable[tuple[str, str]]) -> None:
        """Take in pieces that are no records, with the reasons, and without what may tell of a person."""
        self.damaged += [(self.checker.clean_piece(piece), reason) for piece, reason in pieces]

    def _set_aside(self, content: object, reason: str) -> None:
        self.read_count -= 1
        try:
            piece = storable_json(self.checker.clean(content) if isinstance(content, Mapping) else content)
        except (RecursionError, ValueError):
            piece = ""
        self.damaged.append((piece, reason))


def hash_of(payload: bytes) -> bytes:
    """What two equal payloads share, and hardly any two others."""
    return _sha256(payload).digest()[:HASH_BYTES]


def in_utc(moment: datetime) -> datetime:
    """The moment with a zone: a source's time without one is UTC by the connectors' agreement."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _is_storable_key(key: str) -> bool:
    return SEPARATOR not in key and is_storable_text(key) and len(key.encode()) <= _LONGEST_KEY_BYTES


def _is_before(moment: datetime | None, other: datetime | None) -> bool:
    return moment is not None and other is not None and moment < other
