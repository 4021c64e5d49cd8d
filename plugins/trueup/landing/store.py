"""Lands a batch in one transaction, all or none: records, current versions, exceptions, cursor, position and count."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import psycopg

from trueup.domain.records import Arrival, Cursor
from trueup.landing.batch import Batch, Candidate, hash_of
from trueup.landing.comparison import Change, find_changes
from trueup.landing.landing import Completion, Landing
from trueup.landing.rejected_records import (
    accepted_deletion_count,
    close_mass_deletion,
    close_mended,
    close_vanished,
    open_malformed,
    open_mass_deletion,
    open_violations,
)
from trueup.landing.report import Counts
from trueup.landing.rows import conclude_sweep, copy_changes, count_known, move_current_versions
from trueup.warehouse.connection import Warehouse
from trueup.warehouse.storable import canonical_json, storable_json, storable_text
from trueup.warehouse.streams import Position, advance_position, create_stream_tables, lock_stream, read_position

log = logging.getLogger(__name__)

_LARGEST_DELETION_SHARE: Final = 0.5
_LEAST_SUSPECT_DELETION: Final = 20
_UNKEEPABLE = (
    "a text in it holds U+0000 or half a character, which jsonb cannot keep; replayed, it lands with U+FFFD there"
)


def store_batch(
    connection: Warehouse, landing: Landing, batch: Batch, *, cursor: Cursor | None, completion: Completion | None
) -> Counts:
    """Land one batch and move the stream's position, in one transaction of its own."""
    stream = landing.stream
    with connection.transaction():
        lock_stream(connection, stream)
        create_stream_tables(connection, stream)
        position = read_position(connection, stream)
        counts = Counts(pages=batch.page_count, read=batch.read_count, damaged=len(batch.damaged))
        changes, reasons = _checked_against_contract(connection, landing, batch)
        fresh, late = _without_late(landing, position, changes)
        kept, broken = _parted(fresh, reasons)
        kept, rejected = copy_changes(connection, landing, kept, position.last_record_id + 1)
        broken += rejected
        counts.landed = len(kept)
        counts.tombstones = sum(change.candidate.payload is None for change in kept)
        counts.late = len(late)
        counts.violations = len(broken)
        counts.unchanged = batch.read_count - counts.landed - counts.late - counts.violations
        counts.leaked = _leaks(landing, kept)
        _update_exceptions(connection, landing, batch, broken, late)
        counts.drifts = _record_drifts(connection, landing)
        last_record_id = position.last_record_id + counts.landed
        are_keys_new = all(change.known_seen_at is None for change in kept)
        own_times = [change.candidate.changed_at for change in kept]
        move_current_versions(
            connection,
            stream,
            position.last_record_id + 1,
            last_record_id,
            happened_at=own_times if any(own_times) else (),
            are_keys_new=are_keys_new,
        )
        if completion is not None and completion.is_conclusive and landing.is_sweep:
            gone, counts.unconfirmed_deletions = _conclude(connection, landing, completion, position, last_record_id)
            counts.landed += gone
            counts.tombstones += gone
            last_record_id += gone
            completion = replace(completion, is_conclusive=counts.unconfirmed_deletions == 0)
        if counts.landed:
            counts.first_record_id, counts.last_record_id = position.last_record_id + 1, last_record_id
        _advance(connection, landing, position, last_record_id, cursor, completion)
        _record_landing(connection, landing, counts)
    return counts


def _conclude(
    connection: Warehouse, landing: Landing, completion: Completion, position: Position, last_record_id: int
) -> tuple[int, int]:
    """Land tombstones for what the sweep did not meet: how many, and how many are too many to be deleted unasked.

    A system that answers with an empty list, or with what a lesser role may see, has not deleted anything.
    """
    stream = landing.stream
    gone = known = 0
    is_believed = True
    with connection.transaction() as conclusion:
        gone = conclude_sweep(connection, landing, completion, last_record_id)
        if gone >= _LEAST_SUSPECT_DELETION:
            known = gone + count_known(connection, stream, completion.covers_since)
            accepted = accepted_deletion_count(connection, stream, position.swept_at)
            is_believed = gone <= max(known * _LARGEST_DELETION_SHARE, accepted)
        if not is_believed:
            raise psycopg.Rollback(conclusion)
        close_vanished(connection, stream, landing.started_at, completion.covers_since)
        close_mass_deletion(connection, stream)
    if is_believed:
        return gone, 0
    open_mass_deletion(connection, stream, missing=gone, known=known, run_id=landing.run_id)
    log.warning(
        "%s: mass deletion suspected: a sweep met %d of %d records; none is taken for deleted",
        stream,
        known - gone,
        known,
    )
    return 0, gone


def _without_late(landing: Landing, position: Position, changes: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    fresh: list[Change] = []
    late: list[Change] = []
    for change in changes:
        is_late = change.is_late(landing.read_started_at, position)
        (late if is_late else fresh).append(change)
    return fresh, late


def _checked_against_contract(
    connection: Warehouse, landing: Landing, batch: Batch
) -> tuple[list[Change], dict[str, str]]:
    """What of the batch is new, and the reasons of the keys that must not land: what has landed was checked before.

    Where the contract does not know a field that sounds personal, its record is compared once more without it.
    """
    changes = find_changes(connection, landing.stream, batch, is_sweep=landing.is_sweep)
    checked = [change.candidate for change in changes if change.candidate.payload is not None]
    texts = [candidate.payload for candidate in checked if candidate.payload is not None]
    verdicts = landing.checker.check_texts(texts, are_clean=batch.is_clean)
    reasons = {checked[position].source_key: reason for position, reason in verdicts.broken.items()}
    early = batch.reasons | dict.fromkeys(batch.altered_keys, _UNKEEPABLE)
    for candidate in checked if early else ():
        key = candidate.source_key
        if key in early:
            reasons[key] = f"{early[key]}; {reasons[key]}" if key in reasons else early[key]
    if verdicts.cleaned:
        again = Batch(batch.kind, landing.checker)
        for position, payload in verdicts.cleaned.items():
            candidate = checked[position]
            candidate.payload = canonical_json(payload) or storable_json(payload).encode()
            candidate.payload_hash = hash_of(candidate.payload)
            again.candidates[candidate.source_key] = candidate
        same = [change for change in changes if change.candidate.source_key not in again.candidates]
        changes = same + find_changes(connection, landing.stream, again, is_sweep=landing.is_sweep)
    return changes, reasons


def _parted(changes: Sequence[Change], reasons: Mapping[str, str]) -> tuple[list[Change], list[tuple[Candidate, str]]]:
    if not reasons:
        return list(changes), []
    kept = [change for change in changes if change.candidate.source_key not in reasons]
    broken = [
        (change.candidate, reasons[change.candidate.source_key])
        for change in changes
        if change.candidate.source_key in reasons
    ]
    return kept, broken


def _leaks(landing: Landing, kept: Sequence[Change]) -> int:
    polled_as_of = landing.before.polled_as_of
    if not landing.is_sweep or landing.is_polled_whole or polled_as_of is None or landing.before.cursor is None:
        return 0
    return sum(change.has_leaked(polled_as_of) for change in kept)


def _update_exceptions(
    connection: Warehouse,
    landing: Landing,
    batch: Batch,
    broken: Sequence[tuple[Candidate, str]],
    late: Sequence[Change],
) -> None:
    if broken:
        landing.has_rejected |= open_violations(
            connection,
            landing.stream,
            broken,
            connector=landing.connector,
            arrival=landing.arrival,
            run_id=landing.run_id,
        )
    if batch.damaged:
        landing.has_rejected |= open_malformed(connection, landing.stream, batch.damaged, run_id=landing.run_id)
    # A replay's exception is closed by the replay itself, in the name of whoever asked for it.
    if batch.candidates and landing.arrival is not Arrival.REPLAY:
        not_evidence = {candidate.source_key for candidate, _ in broken}
        not_evidence.update(change.candidate.source_key for change in late)
        close_mended(connection, landing.stream, batch.candidates.keys() - not_evidence)


def _record_drifts(connection: Warehouse, landing: Landing) -> list[str]:
    """Report each unknown field once a read."""
    fresh = [path for path in landing.checker.unknown_fields if path not in landing.reported_drifts]
    if fresh:
        landing.reported_drifts.update(fresh)
        connection.execute(
            "insert into audit.drifts as drift (system_id, stream, field_path)"
            " select %s, %s, incoming.field_path from unnest(%s::text[]) as incoming (field_path)"
            " on conflict (system_id, stream, field_path) do update set"
            " last_seen_at = clock_timestamp(), seen_count = drift.seen_count + 1",
            (landing.stream.system_id, landing.stream.name, [storable_text(path) for path in fresh]),
        )
        log.warning("%s: fields that the contract does not know: %s", landing.stream, ", ".join(fresh))
    return fresh


def _advance(
    connection: Warehouse,
    landing: Landing,
    position: Position,
    last_record_id: int,
    cursor: Cursor | None,
    completion: Completion | None,
) -> None:
    """Move the stream's position; past what was rejected for the first time only when a poll has asked for it again.

    Damage on the way is gone then, and a record that was half written is whole. Whatever goes on being rejected holds
    polls back by one read, not for ever.
    """
    next_cursor: Cursor | None = position.next_cursor
    if landing.has_rejected:
        landing.reached = cursor or landing.reached
        cursor, next_cursor = (None, next_cursor) if completion is None else (next_cursor, landing.reached)
    elif completion is not None:
        next_cursor = None
    is_swept = completion is not None and landing.is_sweep and completion.is_conclusive
    is_polled = completion is not None and landing.arrival is Arrival.POLL
    as_of = None if completion is None else completion.as_of
    advance_position(
        connection,
        landing.stream,
        last_record_id=last_record_id,
        cursor=cursor,
        next_cursor=next_cursor,
        polled_as_of=as_of if is_polled else None,
        swept_as_of=as_of if is_swept else None,
        read_started_at=landing.read_started_at if is_swept or is_polled else None,
    )


def _record_landing(connection: Warehouse, landing: Landing, counts: Counts) -> None:
    connection.execute(
        "insert into audit.landings (run_id, system_id, stream, mode, started_at, page_count, read_count, landed_count,"
        " unchanged_count, tombstone_count, violation_count, leaked_count, late_count, first_record_id, last_record_id)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            landing.run_id,
            landing.stream.system_id,
            landing.stream.name,
            landing.mode,
            landing.started_at,
            counts.pages,
            counts.read,
            counts.landed,
            counts.unchanged,
            counts.tombstones,
            counts.violations + counts.damaged,
            counts.leaked,
            counts.late,
            counts.first_record_id,
            counts.last_record_id,
        ),
    )
