"""Records that a staging model cannot read: found when a build fails, named in the queue, left out from then on.

A number that is none breaks a cast, and a cast breaks the whole model. So the staging views are asked for the records
that the build takes in, half by half, until those are known that fail alone. What is set aside stays so while the
models are the same, for it can never be read; its exception closes when a newer version of the record has landed.
The version before it counts meanwhile, as if the record had broken its contract at landing.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from trueup.contracts.kinds import record_kinds
from trueup.domain.errors import Permanent
from trueup.exceptions.queue import NewException, close_exceptions, open_exceptions
from trueup.transform.plan import Plan
from trueup.transform.run_results import without_values
from trueup.transform.scope import raw_tables
from trueup.warehouse.connection import Warehouse

log = logging.getLogger(__name__)

KIND = "set_aside"
_ACTOR = "trueup.transform"
# Beyond this many the fault is the model's, or the vendor has changed its format: a person must look, not a queue.
_MOST = 10_000
# An index holds 2,704 bytes; the widest of ours has three of these texts.
_LONGEST_TEXT_BYTES = 800
_FREE_TEXTS = ("title", "category", "location_name", "label")
_UNREADABLE = (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One staging view's reading of one stream, and the records that the build takes in of it."""

    view: str
    system_id: str
    stream: str
    after: int
    until: int

    @property
    def rows(self) -> sql.Composed:
        """The rows that the view makes of records between two ids: `after` is left out, `until` is not."""
        return sql.SQL(
            " from {} as staged where staged.system_id = %(system_id)s"
            " and staged.record_id > %(after)s and staged.record_id <= %(until)s"
        ).format(sql.Identifier("staging", self.view))

    def between(self, after: int, until: int) -> dict[str, object]:
        """The parameters of `rows`."""
        return {"system_id": self.system_id, "after": after, "until": until}


def set_aside_unreadable(connection: Warehouse, plan: Plan, run_id: str, *, is_full: bool) -> int:
    """Find the records in the build's scope, or all with `is_full`, that no build can take in; set aside how many.

    0 where the failure is not the records'. Raises `Permanent` where there are too many for it to be theirs.
    """
    tables = raw_tables(connection, plan.configuration)
    found: dict[tuple[str, str, int], str] = {}
    with connection.transaction():
        readings = _readings(connection, tables, is_full=is_full)
        for find in (_uncastable, _overlong, _repeated):
            for reading in readings:
                for record_id, reason in find(connection, reading):
                    found.setdefault((reading.system_id, reading.stream, record_id), reason)
                    if len(found) > _MOST:
                        raise Permanent(
                            f"model '{reading.view}' cannot read more than {_MOST} records of {reading.system_id}"
                            f" ({reason}); that many are not set aside: correct the model, or ask whether"
                            f" {reading.system_id} has changed its format"
                        )
            # A view that cannot be read to its end cannot be searched for anything else either.
            if found:
                break
        _keep(connection, found, plan.build_id or 0, run_id)
    if found:
        log.warning("run %s: %d records cannot be read and were set aside", run_id, len(found))
    return len(found)


def take_back_all(connection: Warehouse) -> None:
    """Let the build try every record again: other models than those that could not read them are to be deployed."""
    connection.execute("delete from staging.set_aside")


def close_replaced(connection: Warehouse, plan: Plan) -> int:
    """Close the exceptions of keys whose newest record can be read; how many. In the caller's transaction."""
    waiting = connection.execute(
        "select distinct system_id, stream from exceptions.queue where status = 'open' and kind = %s", (KIND,)
    ).fetchall()
    tables = set(raw_tables(connection, plan.configuration)) if waiting else set()
    closed = 0
    for system_id, stream in sorted(tables.intersection(waiting)):
        subjects = connection.execute(
            sql.SQL(
                "select queue.subject from exceptions.queue as queue"
                " where queue.status = 'open' and queue.kind = %(kind)s"
                " and queue.system_id = %(system_id)s and queue.stream = %(stream)s"
                " and not exists (select from staging.set_aside as unread"
                " where unread.system_id = queue.system_id and unread.stream = queue.stream"
                " and unread.source_key = queue.subject and unread.record_id = ("
                "select max(newest.record_id) from {} as newest inner join staging.build_scope as scope"
                " on scope.system_id = %(system_id)s and scope.stream = %(stream)s"
                " where newest.source_key = queue.subject and newest.record_id <= scope.to_record_id))"
            ).format(sql.Identifier("raw", f"{system_id}__{stream}")),
            {"kind": KIND, "system_id": system_id, "stream": stream},
        ).fetchall()
        closed += len(
            close_exceptions(
                connection,
                kind=KIND,
                system_id=system_id,
                stream=stream,
                subjects=[row[0] for row in subjects],
                closed_by=_ACTOR,
                reason="the newest record of this key can be read",
            )
        )
    return closed


def _readings(connection: Warehouse, tables: Sequence[tuple[str, str]], *, is_full: bool) -> list[_Reading]:
    """Each staging view with each raw table that it reads."""
    names = {f"{system_id}__{stream}": (system_id, stream) for system_id, stream in tables}
    scopes = {
        (system_id, stream): (0 if is_full else after, until)
        for system_id, stream, after, until in connection.execute(
            "select system_id, stream, from_record_id, to_record_id from staging.build_scope"
        )
    }
    rows = connection.execute(
        "select distinct views.relname, facts.relname"
        " from pg_catalog.pg_rewrite as rules"
        " inner join pg_catalog.pg_class as views on views.oid = rules.ev_class"
        " inner join pg_catalog.pg_depend as uses on uses.classid = 'pg_catalog.pg_rewrite'::regclass"
        " and uses.objid = rules.oid and uses.refclassid = 'pg_catalog.pg_class'::regclass"
        " inner join pg_catalog.pg_class as facts on facts.oid = uses.refobjid"
        " where views.relnamespace = 'staging'::regnamespace and facts.relnamespace = 'raw'::regnamespace"
        " and facts.relname = any(%s) order by 1, 2",
        (list(names),),
    ).fetchall()
    return [
        _Reading(view, *names[table], *scopes[names[table]])
        for view, table in rows
        if names[table] in scopes and scopes[names[table]][0] < scopes[names[table]][1]
    ]


def _uncastable(connection: Warehouse, reading: _Reading) -> Iterator[tuple[int, str]]:
    """The records of which some column cannot be computed, with the first such column."""
    pending = [(reading.after, reading.until)]
    while pending:
        after, until = pending.pop()
        if _failure(connection, reading, sql.SQL("staged"), after, until) is None:
            continue
        if until - after > 1:
            middle = (after + until) // 2
            pending += [(middle, until), (after, middle)]
        else:
            yield until, _reason(connection, reading, until)


def _reason(connection: Warehouse, reading: _Reading, record_id: int) -> str:
    columns = connection.execute(
        "select attname from pg_catalog.pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum",
        (f"staging.{reading.view}",),
    ).fetchall()
    failures = [
        (name, _failure(connection, reading, sql.Identifier("staged", name), record_id - 1, record_id))
        for (name,) in columns
    ]
    failed = [(name, words) for name, words in failures if words is not None]
    if len(failed) == len(failures):
        return f"it cannot be taken apart: {failed[0][1]}"
    return f"{failed[0][0]}: {failed[0][1]}" if failed else "it cannot be read whole"


def _failure(
    connection: Warehouse, reading: _Reading, expression: sql.Composable, after: int, until: int
) -> str | None:
    """What the database says when it computes the expression for these records; None where it can."""
    # Counting a row's text makes every column of it be computed.
    query = sql.SQL("select count({}::text)").format(expression) + reading.rows
    try:
        with connection.transaction():
            connection.execute(query, reading.between(after, until))
    except _UNREADABLE as error:
        return without_values(error.diag.message_primary or type(error).__name__)
    return None


def _overlong(connection: Warehouse, reading: _Reading) -> Iterator[tuple[int, str]]:
    """The records with a text in an id, a name or a code that is longer than an index takes."""
    rows = connection.execute(
        sql.SQL(
            "select texts.record_id, min(field.key)"
            " from (select staged.record_id, to_jsonb(staged) as content{}) as texts"
            " cross join lateral jsonb_each_text(texts.content) as field"
            " where octet_length(field.value) > {} and field.key <> all({}) group by texts.record_id"
        ).format(reading.rows, sql.Literal(_LONGEST_TEXT_BYTES), sql.Literal(list(_FREE_TEXTS))),
        reading.between(reading.after, reading.until),
    ).fetchall()
    for record_id, name in rows:
        yield record_id, f"{name}: longer than the {_LONGEST_TEXT_BYTES} bytes that an id, a name or a code may have"


def _repeated(connection: Warehouse, reading: _Reading) -> Iterator[tuple[int, str]]:
    """The records with two parts (lines, variants, locations) of one id."""
    kind = record_kinds().get(reading.view.rpartition("__")[2])
    if kind is None or kind.part is None:
        return
    rows = connection.execute(
        sql.SQL("select distinct staged.record_id{} group by staged.record_id, staged.{} having count(*) > 1").format(
            reading.rows, sql.Identifier(kind.part)
        ),
        reading.between(reading.after, reading.until),
    ).fetchall()
    for (record_id,) in rows:
        yield record_id, f"{kind.part}: two parts of the record have the same"


def _keep(connection: Warehouse, found: dict[tuple[str, str, int], str], build_id: int, run_id: str) -> None:
    by_stream: dict[tuple[str, str], dict[int, str]] = {}
    for (system_id, stream, record_id), reason in found.items():
        by_stream.setdefault((system_id, stream), {})[record_id] = reason
    for (system_id, stream), reasons in by_stream.items():
        table = sql.Identifier("raw", f"{system_id}__{stream}")
        rows = connection.execute(
            sql.SQL(
                "insert into staging.set_aside"
                " (system_id, stream, record_id, source_key, received_at, reason, build_id)"
                " select %(system_id)s, %(stream)s, facts.record_id, facts.source_key, facts.received_at,"
                " unread.reason, %(build_id)s"
                " from unnest(%(record_ids)s::bigint[], %(reasons)s::text[]) as unread (record_id, reason)"
                " inner join {} as facts on facts.record_id = unread.record_id"
                " on conflict do nothing returning record_id, source_key, reason"
            ).format(table),
            {
                "system_id": system_id,
                "stream": stream,
                "record_ids": list(reasons),
                "reasons": list(reasons.values()),
                "build_id": build_id,
            },
        ).fetchall()
        payloads = {
            record_id: (payload, correlation_id)
            for record_id, payload, correlation_id in connection.execute(
                sql.SQL("select record_id, payload, correlation_id from {} where record_id = any(%s)").format(table),
                ([row[0] for row in rows],),
            )
        }
        open_exceptions(
            connection,
            [
                NewException(
                    kind=KIND,
                    system_id=system_id,
                    stream=stream,
                    subject=source_key,
                    reason=f"record {record_id} cannot be read ({reason}); builds leave it out and go on with the"
                    " version before it, or without one where there is none",
                    remedy=f"correct it in {system_id}; its next version is taken in by itself and closes this."
                    " docs/runbooks/publish.md says more",
                    payload=payloads[record_id][0],
                    context={"record_id": record_id},
                    correlation_id=payloads[record_id][1],
                    run_id=run_id,
                )
                for record_id, source_key, reason in sorted(rows)
            ],
        )
