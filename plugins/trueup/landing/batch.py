"""Gathers pages into what one transaction lands: canonical JSON, its hash, and one version a key.

Payloads are turned into bytes as their page comes and let go: a million of them as Python objects would not fit the
processor's cache, nor a small machine's memory.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import msgspec

from trueup.domain.errors import Permanent
from trueup.domain.records import Cursor, Record, StreamKind
from trueup.warehouse.storable import canonical_json, is_storable_text, storable_json

HASH_BYTES: Final = 16
SEPARATOR: Final = "\x1f"
"""Stands in no key."""
_LONGEST_KEY = 1000
_UNUSABLE_KEY = f"its key is empty, longer than {_LONGEST_KEY} letters, or holds U+0000, U+001F or half a character"
_UNTIMED = (
    "a state record came without its time and without its page's: nothing says which version is newer; hand over"
    " `as_of`, the source's clock when it was read"
)
_sha256 = hashlib.sha256


class Candidate(msgspec.Struct, gc=False):
    """One record that may land, and then its row.

    `occurred_at`: for state the source's clock at which it was true, for an event when it happened, None where nobody
    told. `changed_at`: the record's own time, where it tells one. `payload` None is a tombstone. `correlation`: the
    bytes of the id to follow it by; empty until it gets a new one.
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
    """What one transaction lands, of one stream."""

    kind: StreamKind
    candidates: dict[str, Candidate] = field(default_factory=dict)
    damaged: list[tuple[str, str]] = field(default_factory=list)
    altered_keys: set[str] = field(default_factory=set)
    cursor: Cursor | None = None
    page_count: int = 0
    read_count: int = 0

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
        is_state = self.kind is StreamKind.STATE
        candidates, altered_keys = self.candidates, self.altered_keys
        for record in records:
            key = record.source_key
            if not 0 < len(key) <= _LONGEST_KEY or not ((key.isascii() and key.isprintable()) or _is_storable_key(key)):
                self._set_aside(storable_json(record.payload), _UNUSABLE_KEY)
                continue
            told = record.occurred_at
            if told is not None:
                told = in_utc(told)
            occurred_at = told
            if is_state:
                # Both are times at which it was true; a record's own is often only when it last changed.
                occurred_at = moment if told is None or (moment is not None and moment > told) else told
                if occurred_at is None:
                    raise Permanent(_UNTIMED)
            known = candidates.get(key)
            if known is not None and (not is_state or _is_before(occurred_at, known.occurred_at)):
                continue
            payload = payload_hash = None
            if record.payload is not None:
                try:
                    payload = canonical_json(record.payload)
                    if payload is None:
                        # Not landed as it is, for it would not be what the vendor said: a person decides.
                        payload = storable_json(record.payload).encode()
                        altered_keys.add(key)
                    elif altered_keys:
                        altered_keys.discard(key)
                except (RecursionError, ValueError) as error:
                    self._set_aside(storable_json({"source_key": key}), f"it cannot be written as JSON: {error}")
                    continue
                payload_hash = _sha256(payload).digest()[:HASH_BYTES]
            correlation = b"" if record.correlation_id is None else record.correlation_id.bytes
            candidates[key] = Candidate(
                key, payload, payload_hash, record.source_version, occurred_at, told, received_at, correlation
            )

    def _set_aside(self, piece: str, reason: str) -> None:
        self.read_count -= 1
        self.damaged.append((piece, reason))


def in_utc(moment: datetime) -> datetime:
    """The moment with a zone: a source's time without one is UTC by the connectors' agreement."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _is_storable_key(key: str) -> bool:
    return SEPARATOR not in key and is_storable_text(key)


def _is_before(moment: datetime | None, other: datetime | None) -> bool:
    return moment is not None and other is not None and moment < other
