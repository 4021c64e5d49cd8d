"""Gathers pages into what one transaction lands: canonical JSON, its hash, and one version a key.

Payloads are turned into bytes as their page comes and let go: a million of them as Python objects would not fit the
processor's cache, nor a small machine's memory.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from trueup.domain.errors import Permanent
from trueup.domain.records import Cursor, Record, StreamKind
from trueup.warehouse.storable import canonical_json, is_storable_text, storable_json

_HASH_BYTES = 16
_LONGEST_KEY = 1000
_UNUSABLE_KEY = f"its key is empty, longer than {_LONGEST_KEY} letters, or holds what PostgreSQL cannot keep"


@dataclass(slots=True)
class Candidate:
    """One record that may land, and then its row.

    `occurred_at`: for state the source's clock at which it was true, for an event when it happened, None where nobody
    told. `changed_at`: the record's own time, where it tells one. `payload` None is a tombstone. `correlation`: the
    bytes of the id to follow it by; empty until it gets a new one.
    """

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
        for record in records:
            key = record.source_key
            if not _is_usable_key(key):
                self._set_aside(storable_json(record.payload), _UNUSABLE_KEY)
                continue
            told = None if record.occurred_at is None else in_utc(record.occurred_at)
            observed_at = told
            if is_state:
                # Both are times at which it was true; a record's own is often only when it last changed.
                observed_at = moment if told is None or (moment is not None and moment > told) else told
                if observed_at is None:
                    raise Permanent(
                        "a state record came without its time and without its page's: nothing says which version is"
                        " newer; hand over `as_of`, the source's clock when it was read"
                    )
            known = self.candidates.get(key)
            if known is not None and (
                not is_state
                or (known.occurred_at is not None and observed_at is not None and observed_at < known.occurred_at)
            ):
                continue
            try:
                payload, payload_hash = self._written(record)
            except (RecursionError, ValueError) as error:
                self._set_aside(storable_json({"source_key": key}), f"it cannot be written as JSON: {error}")
                continue
            self.candidates[key] = Candidate(
                key,
                payload,
                payload_hash,
                record.source_version,
                observed_at,
                told,
                received_at,
                b"" if record.correlation_id is None else record.correlation_id.bytes,
            )

    def _written(self, record: Record) -> tuple[bytes | None, bytes | None]:
        if record.payload is None:
            return None, None
        payload = canonical_json(record.payload)
        if payload is None:
            # Not landed as it is, for it would not be what the vendor said: a person decides (see store.py).
            payload = storable_json(record.payload).encode()
            self.altered_keys.add(record.source_key)
        else:
            self.altered_keys.discard(record.source_key)
        return payload, hashlib.blake2b(payload, digest_size=_HASH_BYTES).digest()

    def _set_aside(self, piece: str, reason: str) -> None:
        self.read_count -= 1
        self.damaged.append((piece, reason))


def in_utc(moment: datetime) -> datetime:
    """The moment with a zone: a source's time without one is UTC by the connectors' agreement."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _is_usable_key(key: object) -> bool:
    return (
        isinstance(key, str)
        and 0 < len(key) <= _LONGEST_KEY
        and ((key.isascii() and key.isprintable()) or is_storable_text(key))
    )
