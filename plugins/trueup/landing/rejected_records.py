"""Rejected records and suspected mass deletions: into the exception queue, and out of it when they are mended."""

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson

from trueup.exceptions.queue import (
    NewException,
    close_exceptions,
    close_unseen,
    open_exception,
    open_exceptions,
    open_subjects,
)
from trueup.landing.batch import Candidate
from trueup.warehouse.connection import Warehouse
from trueup.warehouse.copy import new_correlation_ids
from trueup.warehouse.storable import storable_text
from trueup.warehouse.streams import Stream

VIOLATION: Final = "contract_violation"
MALFORMED: Final = "malformed_record"
MASS_DELETION: Final = "mass_deletion_suspected"
_ACTOR = "landing"


def open_violations(
    connection: Warehouse,
    stream: Stream,
    broken: Sequence[tuple[Candidate, str]],
    *,
    connector: str,
    arrival: str,
    run_id: str,
) -> bool:
    """Queue the records that break their contract, each under its source key; whether any is new there."""
    are_new = _are_new(connection, VIOLATION, stream, [candidate.source_key for candidate, _ in broken])
    remedy = (
        f"the next poll asks for it once more; if it stays, mend the record in {stream.system_id}; where the vendor"
        f" changed it on purpose, widen contracts/{connector}/{stream.name}.yml; then `trueup exceptions"
        " replay`"
    )
    fresh = new_correlation_ids(len(broken))
    open_exceptions(
        connection,
        [
            NewException(
                kind=VIOLATION,
                system_id=stream.system_id,
                stream=stream.name,
                subject=candidate.source_key,
                reason=reason,
                remedy=remedy,
                payload=None if candidate.payload is None else orjson.Fragment(candidate.payload),
                context={
                    "source_version": candidate.source_version,
                    "occurred_at": candidate.occurred_at,
                    "happened_at": candidate.changed_at,
                    "arrival": arrival,
                },
                correlation_id=UUID(bytes=candidate.correlation or new_id),
                run_id=run_id,
            )
            for (candidate, reason), new_id in zip(broken, fresh, strict=True)
        ],
    )
    return are_new


def open_malformed(connection: Warehouse, stream: Stream, damaged: Sequence[tuple[str, str]], *, run_id: str) -> bool:
    """Queue the pieces that no record could be made of, each under the hash of what came; whether any is new there."""
    subjects = [hashlib.blake2b(piece.encode(errors="replace"), digest_size=16).hexdigest() for piece, _ in damaged]
    are_new = _are_new(connection, MALFORMED, stream, subjects)
    open_exceptions(
        connection,
        [
            NewException(
                kind=MALFORMED,
                system_id=stream.system_id,
                stream=stream.name,
                subject=subject,
                reason=reason,
                remedy=f"see in the payload what {stream.system_id} sent and mend it there; until a sweep no longer"
                " meets it, and so closes this, sweeps conclude no deletions",
                payload=_readable(piece),
                run_id=run_id,
            )
            for subject, (piece, reason) in zip(subjects, damaged, strict=True)
        ],
    )
    return are_new


def _are_new(connection: Warehouse, kind: str, stream: Stream, subjects: Sequence[str]) -> bool:
    is_open = open_subjects(connection, kind=kind, system_id=stream.system_id, stream=stream.name)
    return not {storable_text(subject) for subject in subjects} <= set(is_open)


def close_mended(connection: Warehouse, stream: Stream, good_keys: Collection[str]) -> None:
    """Close the violations of keys that have now come well."""
    still_open = open_subjects(connection, kind=VIOLATION, system_id=stream.system_id, stream=stream.name)
    mended = [subject for subject in still_open if subject in good_keys]
    close_exceptions(
        connection,
        kind=VIOLATION,
        system_id=stream.system_id,
        stream=stream.name,
        subjects=mended,
        closed_by=_ACTOR,
        reason="the same key came again and keeps its contract",
    )


def close_vanished(
    connection: Warehouse, stream: Stream, sweep_started_at: datetime, covers_since: datetime | None
) -> None:
    """Close what a complete sweep, in which everything could be read, no longer met.

    `covers_since`: it did not look for what happened before then, so that stays open.
    """
    for kind in (VIOLATION, MALFORMED):
        close_unseen(
            connection,
            kind=kind,
            system_id=stream.system_id,
            stream=stream.name,
            since=sweep_started_at,
            happened_since=covers_since,
            closed_by=_ACTOR,
            reason="a complete sweep no longer met it",
        )


def open_mass_deletion(connection: Warehouse, stream: Stream, *, missing: int, known: int, run_id: str) -> None:
    """Queue that a mass deletion is suspected: a sweep did not meet so many of the stream's records."""
    open_exception(
        connection,
        kind=MASS_DELETION,
        system_id=stream.system_id,
        stream=stream.name,
        subject=stream.name,
        reason=f"a sweep met {known - missing} of {known} records; the other {missing} are kept: this may be a mistake",
        remedy=f"look for them in {stream.system_id}: a right that was taken away reads like this. A sweep that meets"
        " them closes this; if they are gone for good, `trueup exceptions replay`, and the next sweep concludes it",
        context={"missing": missing},
        run_id=run_id,
    )


def accepted_deletion_count(connection: Warehouse, stream: Stream, since: datetime | None) -> int:
    """Return how many deletions a person has confirmed `since` a sweep last came to a conclusion."""
    row = connection.execute(
        "select (context ->> 'missing')::integer from exceptions.queue"
        " where kind = %s and system_id = %s and stream = %s and status = 'replayed'"
        " and closed_at > coalesce(%s, '-infinity'::timestamptz) order by exception_id desc limit 1",
        (MASS_DELETION, stream.system_id, stream.name, since),
    ).fetchone()
    return 0 if row is None else int(row[0])


def close_mass_deletion(connection: Warehouse, stream: Stream) -> None:
    """Close the suspicion of an earlier sweep: this one came to a conclusion."""
    close_exceptions(
        connection,
        kind=MASS_DELETION,
        system_id=stream.system_id,
        stream=stream.name,
        subjects=[stream.name],
        closed_by=_ACTOR,
        reason="a later sweep met the records again",
    )


def _readable(piece: str) -> object:
    try:
        return orjson.loads(piece)
    except ValueError:
        return piece
