"""All that was decided for one record of a target, of whatever workflow: why, by whom, and what became of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.domain.values import Value, from_json
from trueup.explain.rows import all_rows
from trueup.explain.wording import moment_text
from trueup.warehouse.connection import Role, Warehouse, connect
from trueup.warehouse.failures import translated


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a change's life. `actor` None: before this was kept."""

    at: datetime
    former_status: str | None
    status: str
    actor: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one attempt was answered. `ticket`: the target promised to say later what became of it."""

    attempt: int
    outcome: str
    http_status: int | None
    detail: str
    ticket: str | None
    attempted_at: datetime


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read back. `observed` None: the record was not there. `as_of` is the target's clock."""

    observed: Value | None
    as_of: datetime
    is_verified: bool


@dataclass(frozen=True, slots=True)
class ChangeStory:
    """One change with everything that came of it."""

    change_id: int
    key: str
    entity: str
    operation: str
    field: str
    subject_key: str
    expected: Value | None
    desired: Value
    cause: str
    facts_version: str
    correlation_id: UUID
    status: str
    status_reason: str | None
    run_id: str
    hold_id: int | None
    hold_reason: str | None
    approved_by: tuple[str, ...]
    steps: tuple[Step, ...]
    answers: tuple[Answer, ...]
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class RecordHistory:
    """Every change of one record, newest first. `withheld`: what keeps it from being pushed now."""

    target_system: str
    record_ref: str
    changes: tuple[ChangeStory, ...]
    withheld: tuple[str, ...]
    lines: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", tuple(_lines(self)))


def read_record_history(details: ConnectionDetails, target_system: str, record_ref: str) -> RecordHistory:
    """Everything the outbox knows of the record; raise `Permanent` where nothing was ever decided for it."""
    with translated(f"reading the history of {record_ref}"), connect(details, Role.OPERATOR) as connection:
        connection.execute("set transaction isolation level repeatable read, read only")
        return history_of(connection, target_system, record_ref)


def history_of(connection: Warehouse, target_system: str, record_ref: str) -> RecordHistory:
    """The same within the caller's transaction, so that it is of the moment of what else is read there."""
    rows = all_rows(
        connection,
        "select changes.*, holds.reason as hold_reason, array(select approved_by from outbox.approvals"
        " where approvals.hold_id = changes.hold_id order by approved_at) as approved_by"
        " from outbox.changes as changes left join outbox.holds as holds using (hold_id)"
        " where changes.target_system = %(target)s and changes.record_ref = %(record)s order by change_id desc",
        {"target": target_system, "record": record_ref},
    )
    if not rows:
        raise Permanent(
            f"nothing was ever decided for {record_ref} at {target_system}; `outbox.changes` has the targets and"
            " records there are"
        )
    withheld = connection.execute(
        "select withheld_by || ': ' || reason from gates.withheld"
        " where (target_system is null or target_system = %s)"
        " and (entity is null or entity = %s) and (subject_key is null or subject_key = %s)"
        " order by kind desc, since",
        (target_system, rows[0]["entity"], rows[0]["subject_key"]),
    ).fetchall()
    stories = tuple(_story(connection, row) for row in rows)
    return RecordHistory(target_system, record_ref, stories, tuple(str(reason) for (reason,) in withheld))


def _story(connection: Warehouse, row: Mapping[str, Any]) -> ChangeStory:
    key = {"key": row["key"], "change_id": row["change_id"]}
    steps = all_rows(
        connection, "select * from outbox.transitions where change_id = %(change_id)s order by transition_id", key
    )
    answers = all_rows(connection, "select * from outbox.receipts where key = %(key)s order by receipt_id", key)
    readings = all_rows(connection, "select * from outbox.read_backs where key = %(key)s order by read_back_id", key)
    return ChangeStory(
        **{
            name: row[name]
            for name in (
                "change_id",
                "key",
                "entity",
                "operation",
                "field",
                "subject_key",
                "cause",
                "facts_version",
                "correlation_id",
                "status",
                "status_reason",
                "run_id",
                "hold_id",
                "hold_reason",
            )
        },
        expected=_value(row["expected"]),
        desired=from_json(row["desired"]),
        approved_by=tuple(row["approved_by"]),
        steps=tuple(
            Step(each["happened_at"], each["former_status"], each["status"], each["actor"], each["reason"])
            for each in steps
        ),
        answers=tuple(
            Answer(
                each["attempt"],
                each["outcome"],
                each["http_status"],
                each["detail"],
                each["ticket"],
                each["attempted_at"],
            )
            for each in answers
        ),
        readings=tuple(Reading(_value(each["observed"]), each["as_of"], each["is_verified"]) for each in readings),
    )


def _value(form: object) -> Value | None:
    return None if form is None else from_json(form)


def _lines(it: RecordHistory) -> Iterator[str]:
    yield f"{it.record_ref} at {it.target_system}"
    for reason in it.withheld:
        yield f"  not pushed: {reason}"
    for story in it.changes:
        reason = f" ({story.status_reason})" if story.status_reason else ""
        before = "?" if story.expected is None else story.expected
        yield (
            f"  #{story.change_id}  {story.operation} {story.entity} {story.field} of {story.subject_key}:"
            f" {before} to {story.desired}, {story.cause.replace('_', ' ')}: {story.status}{reason}"
        )
        if story.hold_id is not None:
            people = " and ".join(story.approved_by) or "nobody yet"
            yield f"      hold {story.hold_id}, approved by {people}: {story.hold_reason}"
        for step in story.steps:
            why = f": {step.reason}" if step.reason else ""
            yield f"      {moment_text(step.at)}  {step.status} by {step.actor or 'unknown'}{why}"
        for answer in story.answers:
            status = f" {answer.http_status}" if answer.http_status is not None else ""
            said = f"{answer.outcome}{status}, {answer.detail}"
            yield f"      {moment_text(answer.attempted_at)}  attempt {answer.attempt}: {said}"
        for reading in story.readings:
            observed = "no such record" if reading.observed is None else reading.observed
            verified = ", verified" if reading.is_verified else ""
            yield f"      {moment_text(reading.as_of)}  read back {observed} (its clock){verified}"
