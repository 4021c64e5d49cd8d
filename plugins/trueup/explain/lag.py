"""At which hop of the pipeline the news was, at one moment, that the channel needed.

Everything is timed by our own clock. A source's clock is never compared with it: that a source had not
reported something yet is concluded from a read that began after the moment and did not bring it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from psycopg import sql
from psycopg.rows import DictRow

from trueup.domain.connections import ConnectionDetails
from trueup.explain.rows import one_row
from trueup.warehouse.connection import Role, Warehouse, connect
from trueup.warehouse.failures import translated


class Hop(StrEnum):
    """Where a fact was."""

    SOURCE = "source"  # it happened, and the system had not recorded it
    LANDING = "landing"  # recorded perhaps, and not read by us
    BUILD = "build"  # landed, and not in the marts or the outbox
    GATE = "gate"  # withheld by a gate
    QUEUE = "queue"  # in the outbox, and not sent
    CHANNEL = "channel"  # sent, and not shown


@dataclass(frozen=True, slots=True)
class Lag:
    """The hop that held the fact at `at`, from `since` to `until` as far as known, and why that is said."""

    sku: str
    channel: str
    at: datetime
    hop: Hop
    why: str
    since: datetime | None
    until: datetime | None
    record: str | None


# The lowering that had not reached the channel: what came of the fact that would have kept it from selling.
_LATE_CORRECTION: Final = """
select changes.*, holds.held_at, holds.decided_at
from outbox.changes as changes
left join outbox.holds as holds on holds.hold_id = changes.hold_id
where changes.entity = 'stock'
    and changes.subject_key = %(sku)s
    and changes.target_system = %(channel)s
    and (changes.expected is null or changes.size < 0)
    and changes.status not in ('superseded')
    and coalesce(changes.facts_received_at, changes.proposed_at) < %(at)s + interval '1 day'
    and coalesce(changes.applied_at, changes.resolved_at, 'infinity') > %(at)s
order by changes.change_id
limit 1
"""

# The facts behind the SKU's number on this channel, but for the channel's own orders: its own count knows those.
_FACT_SOURCES: Final = """
with served as (
    select location_id from governance.channel_locations where channel = %(channel)s
)
select source_system_id as system_id, 'stock_levels' as stream, record_id from canonical.stock_levels
where sku = %(sku)s and location_id in (select location_id from served) and record_id is not null
union
select source_system_id, 'stock_movements', record_id from canonical.stock_movements
where sku = %(sku)s and location_id in (select location_id from served)
union
select source_system_id, 'orders', record_id from canonical.reservations
where sku = %(sku)s and channel is distinct from %(channel)s
    and (location_id is null or location_id in (select location_id from served))
"""

_WITHHELD: Final = """
select 'rule ' || rule_id || ': ' || reason, quarantined_at, released_at from gates.quarantine
where subject_key = %(sku)s and (target_system is null or target_system = %(channel)s)
    and (entity is null or entity = 'stock')
    and quarantined_at <= %(at)s and coalesce(released_at, 'infinity') > %(at)s
union all
select 'suite ' || suite || ': ' || reason, stopped_at, released_at from gates.stops
where (target_system is null or target_system = %(channel)s)
    and (entity is null or entity = 'stock')
    and stopped_at <= %(at)s and coalesce(released_at, 'infinity') > %(at)s
limit 1
"""


def explain_lag(details: ConnectionDetails, sku: str, channel: str, our_time: datetime) -> Lag:
    """Say where, at `our_time`, the fact was that would have made the channel show less.

    First by the correction that lowered the channel after that moment; where there was none (the sale itself
    made the number right), by the facts that landed around it.
    """
    arguments = {"sku": sku, "channel": channel, "at": our_time}
    with translated(f"explaining the lag of {sku}"), connect(details, Role.OPERATOR) as connection:
        connection.execute("set transaction isolation level repeatable read, read only")
        withheld = connection.execute(_WITHHELD, arguments).fetchone()
        if withheld is not None:
            reason, since, until = withheld
            return Lag(sku, channel, our_time, Hop.GATE, f"withheld by {reason}", since, until, None)
        facts = sorted(_facts(connection, arguments), key=lambda fact: fact["received_at"])
        late = one_row(connection, _LATE_CORRECTION, arguments)
        if late is not None:
            return _of_correction(connection, arguments, late, facts)
        return _of_facts(connection, arguments, facts)


def _of_correction(
    connection: Warehouse, arguments: Mapping[str, Any], correction: DictRow, facts: list[dict[str, Any]]
) -> Lag:
    sku, channel, at = arguments["sku"], arguments["channel"], arguments["at"]
    name = f"correction {correction['change_id']} ({correction['expected']} to {correction['desired']})"
    received = correction["facts_received_at"] or correction["proposed_at"]
    shown_at = correction["applied_at"] or correction["resolved_at"]
    if correction["sent_at"] is not None and correction["sent_at"] <= at:
        why = f"{name} had been sent and was not known to be shown"
        return Lag(sku, channel, at, Hop.CHANNEL, why, correction["sent_at"], shown_at, None)
    if correction["proposed_at"] <= at:
        why = f"{name} waited in the outbox"
        if correction["held_at"] is not None and (correction["decided_at"] is None or correction["decided_at"] > at):
            why = f"{name} waited for a person (hold {correction['hold_id']})"
        return Lag(sku, channel, at, Hop.QUEUE, why, correction["proposed_at"], correction["sent_at"], None)
    if received <= at:
        why = f"its newest fact had landed, {name} was not decided yet"
        return Lag(sku, channel, at, Hop.BUILD, why, received, correction["proposed_at"], None)
    behind = [fact for fact in facts if at < fact["received_at"] <= received]
    if not behind:
        why = f"{name} followed from a listing or an order that was read later"
        return Lag(sku, channel, at, Hop.LANDING, why, None, received, None)
    # The newest fact decided; those before it, if any, were late as well and were read no earlier.
    return _not_landed(connection, arguments, behind[-1])


def _of_facts(connection: Warehouse, arguments: Mapping[str, Any], facts: list[dict[str, Any]]) -> Lag:
    sku, channel, at = arguments["sku"], arguments["channel"], arguments["at"]
    landed = [fact for fact in facts if fact["received_at"] <= at]
    if landed:
        newest = landed[-1]
        built = connection.execute(
            "select started_at, finished_at from audit.builds where status = 'succeeded' and started_at >= %s"
            " order by build_id limit 1",
            (newest["received_at"],),
        ).fetchone()
        if built is None or built[1] > at:
            why = f"{newest['record']} had landed and no build had taken it in"
            until = None if built is None else built[1]
            return Lag(sku, channel, at, Hop.BUILD, why, newest["received_at"], until, newest["record"])
    later = [fact for fact in facts if fact["received_at"] > at]
    if later:
        return _not_landed(connection, arguments, later[0])
    why = "nothing that was landed to this day would have lowered the channel then"
    return Lag(sku, channel, at, Hop.SOURCE, why, None, None, None)


def _not_landed(connection: Warehouse, arguments: Mapping[str, Any], fact: Mapping[str, Any]) -> Lag:
    """At the source where a read that began after the moment did not bring it; else nobody had asked."""
    sku, channel, at, received = arguments["sku"], arguments["channel"], arguments["at"], fact["received_at"]
    row = connection.execute(
        "select max(started_at) from audit.landings where system_id = %s and stream = %s and started_at >= %s"
        " and finished_at < %s and run_id <> %s",
        (fact["system_id"], fact["stream"], at, received, fact["run_id"]),
    ).fetchone()
    empty_read = row[0] if row else None
    if empty_read is not None:
        why = f"{fact['record']}: a read that began at {empty_read:%H:%M:%S}, after the sale, did not bring it"
        return Lag(sku, channel, at, Hop.SOURCE, why, None, received, fact["record"])
    why = f"{fact['record']} came with the first read after the sale"
    return Lag(sku, channel, at, Hop.LANDING, why, None, received, fact["record"])


def _facts(connection: Warehouse, arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every landed version of the records that the SKU's number rests on."""
    sources: dict[tuple[str, str], list[int]] = {}
    for system_id, stream, record_id in connection.execute(_FACT_SOURCES, arguments).fetchall():
        sources.setdefault((system_id, stream), []).append(record_id)
    for (system_id, stream), record_ids in sources.items():
        name = f"{system_id}__{stream}"
        found = connection.execute("select to_regclass(%s)", (f"raw.{name}",)).fetchone()
        if found is None or found[0] is None:
            continue
        table = sql.Identifier("raw", name)
        rows = connection.execute(
            sql.SQL(
                "select record_id, received_at, run_id from {table} where source_key in"
                " (select source_key from {table} where record_id = any(%s))"
            ).format(table=table),
            (record_ids,),
        ).fetchall()
        for record_id, received_at, run_id in rows:
            yield {
                "system_id": system_id,
                "stream": stream,
                "received_at": received_at,
                "run_id": run_id,
                "record": f"raw.{name} #{record_id}",
            }
