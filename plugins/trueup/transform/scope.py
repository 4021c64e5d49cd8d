"""What a build takes in: which records of which stream, and whether anything has changed at all.

The state is the warehouse's: a build that dies leaves its scope behind, and the next one takes in the same and more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from trueup.configuration.model import TenantConfiguration
from trueup.contracts.kinds import record_kinds, stream_kinds
from trueup.domain.errors import Permanent
from trueup.warehouse.connection import Warehouse

# Everything but the newest rows of these tables is settled for good, so their ends and what is open say it all. Whether
# something waits too long is a matter of the clock: it is asked here so that time alone makes a build.
_OUTBOX_MARKER = """
    select md5(concat_ws(
        '|',
        (select max(change_id) from outbox.changes),
        (select max(receipt_id) from outbox.receipts),
        (select max(read_back_id) from outbox.read_backs),
        (
            select md5(string_agg(change_id || ':' || status, ',' order by change_id))
            from outbox.changes
            where status in ('proposed', 'held', 'claimed', 'sent', 'pending', 'applied')
        ),
        exists (
            select 1
            from outbox.changes
            where
                status in ('proposed', 'held', 'claimed', 'sent', 'pending', 'applied')
                -- Within the partial index of what is open.
                and status in ('proposed', 'held')
                and proposed_at < clock_timestamp() - make_interval(secs => %(backlog_seconds)s)
        ),
        (
            select md5(string_agg(kind || withheld_id, ',' order by kind, withheld_id))
            from gates.withheld
            where kind <> 'switch'
        )
    ))
"""


@dataclass(frozen=True, slots=True)
class BuildState:
    """`staging.build_state` as the last build left it; hashes are None before the first."""

    since_build_id: int
    is_full: bool
    is_marts_full: bool
    deployed_hash: str | None
    views_hash: str | None
    structure_hash: str | None
    declaration_id: int | None
    outbox_marker: str | None
    # None: made by a Trueup that did not note them.
    model_versions: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new since the last build that succeeded."""

    record_count: int
    # Only of kinds whose sweeps decide rows: elsewhere what a sweep confirms decides about ties at most.
    is_swept: bool


def read_state(connection: Warehouse) -> BuildState:
    """The state of the warehouse's builds."""
    row = connection.execute(
        "select since_build_id, is_full, is_marts_full, deployed_hash, views_hash, structure_hash, declaration_id,"
        " outbox_marker, model_versions from staging.build_state"
    ).fetchone()
    if row is None:
        raise Permanent("staging.build_state is empty; restore its one row or migrate the warehouse anew")
    return BuildState(*row)


def raw_tables(connection: Warehouse, configuration: TenantConfiguration) -> list[tuple[str, str]]:
    """(system, stream) of every raw table that there is for the tenant's systems."""
    # A system without one of the kinds has no table of it, and none is made.
    names = {
        f"{system_id}__{stream}": (system_id, stream)
        for system_id in configuration.systems
        for stream in stream_kinds()
    }
    rows = connection.execute(
        "select tablename from pg_catalog.pg_tables where schemaname = 'raw' and tablename = any(%s)"
        " order by tablename",
        (list(names),),
    ).fetchall()
    return [names[name] for (name,) in rows]


def outbox_marker(connection: Warehouse, backlog_seconds: int) -> str:
    """What changes are open and what gates withhold now, as a hash."""
    row = connection.execute(_OUTBOX_MARKER, {"backlog_seconds": backlog_seconds}).fetchone()
    return str(row[0]) if row else ""


def take_scope(connection: Warehouse, tables: list[tuple[str, str]]) -> Changes:
    """Set `to_record_id` and the sweep of every stream to what there is now, in one snapshot.

    The caller's transaction must be `repeatable read`: a page that lands between two of these reads would
    otherwise be known to one stream and not to the sweep of another.
    """
    for system_id, stream in tables:
        connection.execute(
            sql.SQL(
                "insert into staging.build_scope"
                " (system_id, stream, from_record_id, to_record_id, swept_as_of, swept_at)"
                " select %(system_id)s, %(stream)s, 0, coalesce((select max(record_id) from raw.{}), 0),"
                " p.swept_as_of, p.swept_at"
                " from (values (1)) as one left join raw.stream_positions as p"
                " on p.system_id = %(system_id)s and p.stream = %(stream)s"
                " on conflict (system_id, stream) do update set"
                " to_record_id = excluded.to_record_id, swept_as_of = excluded.swept_as_of,"
                " swept_at = excluded.swept_at"
            ).format(sql.Identifier(f"{system_id}__{stream}")),
            {"system_id": system_id, "stream": stream},
        )
    # A stream whose system was taken out of the tenant's files has no part in this build.
    connection.execute(
        "delete from staging.build_scope where (system_id, stream) not in"
        " (select * from unnest(%s::text[], %s::text[]))",
        ([system_id for system_id, _ in tables], [stream for _, stream in tables]),
    )
    row = connection.execute(
        "select coalesce(sum(to_record_id - from_record_id), 0),"
        " coalesce(bool_or(stream = any(%s) and swept_as_of is distinct from from_swept_as_of), false)"
        " from staging.build_scope",
        ([kind.name for kind in record_kinds().values() if kind.sweeps_decide],),
    ).fetchone()
    return Changes(int(row[0]), bool(row[1])) if row else Changes(0, is_swept=False)


def build_for_models(connection: Warehouse) -> dict[str, Any]:
    """What this build's models need to know: `state` for the macro build_state, `scopes` for build_scopes."""
    state = connection.execute(
        "select build_id, since_build_id, is_full, is_marts_full from staging.build_state"
    ).fetchone()
    scopes = connection.execute(
        "select system_id, stream, from_record_id, to_record_id, swept_as_of::text, swept_at::text,"
        " swept_as_of is distinct from from_swept_as_of,"
        " exists (select from staging.set_aside where set_aside.system_id = build_scope.system_id"
        " and set_aside.stream = build_scope.stream)"
        " from staging.build_scope order by system_id, stream"
    ).fetchall()
    names = ("system_id", "stream", "from", "to", "swept_as_of", "swept_at", "is_newly_swept", "has_set_aside")
    return {
        "state": dict(zip(("build_id", "since", "is_full", "is_marts_full"), state or (), strict=True)),
        "scopes": [dict(zip(names, scope, strict=True)) for scope in scopes],
    }


def changed_views(connection: Warehouse) -> list[str]:
    """The staging views that read a stream of which this build takes in something, be it that it was swept."""
    rows = connection.execute(
        "select distinct views.relname"
        " from staging.build_scope as scope"
        " inner join pg_catalog.pg_class as facts"
        " on facts.relname = scope.system_id || '__' || scope.stream and facts.relnamespace = 'raw'::regnamespace"
        " inner join pg_catalog.pg_depend as uses on uses.refclassid = 'pg_catalog.pg_class'::regclass"
        " and uses.refobjid = facts.oid and uses.classid = 'pg_catalog.pg_rewrite'::regclass"
        " inner join pg_catalog.pg_rewrite as rules on rules.oid = uses.objid"
        " inner join pg_catalog.pg_class as views on views.oid = rules.ev_class"
        " where views.relnamespace = 'staging'::regnamespace and (scope.from_record_id < scope.to_record_id"
        " or scope.swept_as_of is distinct from scope.from_swept_as_of)"
        " order by 1"
    ).fetchall()
    return [name for (name,) in rows]


def close_scope(connection: Warehouse, build_id: int, state: dict[str, Any]) -> None:
    """The build succeeded: what it took in is done. In the caller's transaction, with the build's own row."""
    connection.execute(
        "update staging.build_scope set from_record_id = to_record_id, from_swept_as_of = swept_as_of"
        " where from_record_id <> to_record_id or from_swept_as_of is distinct from swept_as_of"
    )
    # None is newer: builds run one at a time. Emptied whole, so that the file is as large as what is in it.
    connection.execute("truncate staging.touched_keys")
    connection.execute(
        "update staging.build_state set since_build_id = %(build_id)s, is_full = false, is_marts_full = false,"
        " deployed_hash = %(deployed_hash)s, views_hash = %(views_hash)s, structure_hash = %(structure_hash)s,"
        " declaration_id = %(declaration_id)s, outbox_marker = %(outbox_marker)s",
        {"build_id": build_id, **state},
    )
    if state["model_versions"] is not None:
        note_versions(connection, state["deployed_hash"], state["model_versions"])


def note_versions(connection: Warehouse, deployed_hash: str, versions: Mapping[str, str]) -> None:
    """The tables are those of these versions of the models."""
    connection.execute(
        "update staging.build_state set deployed_hash = %s, model_versions = %s",
        (deployed_hash, Jsonb(dict(versions))),
    )
