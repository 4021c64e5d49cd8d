"""Why a channel should show the number it should: every term, every source record, every correction.

Read as the operator, who sees every schema; nothing is written.
"""

import difflib
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from trueup.configuration.model import TenantConfiguration
from trueup.domain.codes import visible_code
from trueup.domain.connections import ConnectionDetails
from trueup.domain.errors import Permanent
from trueup.domain.quantities import Quantity
from trueup.explain.differences import find_difference
from trueup.explain.explanation import (
    Attempt,
    CorrectionStory,
    Explanation,
    LocationTerms,
    ReadBack,
    ReservationTerm,
    Shown,
    Withheld,
)
from trueup.explain.lag import Lag, explain_lag
from trueup.explain.rows import all_rows, one_row
from trueup.warehouse.connection import Role, Warehouse, connect
from trueup.warehouse.failures import translated

__all__ = ["Explanation", "Lag", "explain", "explain_lag"]


_CORRECTIONS_SHOWN = 5


def explain(details: ConnectionDetails, configuration: TenantConfiguration, sku: str, channel: str) -> Explanation:
    """Explain one number as of the newest build.

    Raises `Permanent` for a SKU or channel that does not exist, naming near ones.
    """
    if channel not in configuration.channels:
        raise Permanent(_unknown("channel", channel, sorted(configuration.channels)))
    with translated(f"explaining {sku} on {channel}"), connect(details, Role.OPERATOR) as connection:
        # One snapshot: the terms and what was done about them must be of the same moment.
        connection.execute("set transaction isolation level repeatable read, read only")
        position = one_row(
            connection,
            "select positions.*, products.title, channels.shows from marts.ats_positions as positions"
            " inner join governance.channels as channels using (channel)"
            " left join canonical.products as products using (sku)"
            " where positions.sku = %s and positions.channel = %s",
            (sku, channel),
        )
        if position is None:
            raise Permanent(_no_position(connection, sku, channel))
        shown = _shown(connection, sku, channel)
        return Explanation(
            sku=sku,
            title=position["title"],
            category=position["category"],
            channel=channel,
            shows=position["shows"],
            locations=_locations(connection, sku, position["location_terms"]),
            free=_units(position["free_quantity"]),
            shortfall=_units(position["shortfall_quantity"]),
            unassigned=_units(position["unassigned_reserved_quantity"]),
            pool=_units(position["pool_quantity"]),
            buffer=position["buffer_quantity"],
            share=position["share"],
            cap=position["cap_quantity"],
            available=position["ats_quantity"],
            own_allocations=position["channel_allocated_quantity"],
            target=position["target_quantity"],
            unknown_because=position["unknown_because"],
            rules={name: rule for name, rule in position["rule_ids"].items() if rule is not None},
            facts_as_of=position["facts_as_of"],
            newest_received_at=position["newest_received_at"],
            facts_version=str(position["facts_version"]),
            reservations=_reservations(connection, sku, channel),
            shown=shown,
            difference=find_difference(connection, "stock", sku, channel),
            corrections=_corrections(connection, sku, channel),
            withheld=_withheld(connection, sku, channel),
        )


def _locations(connection: Warehouse, sku: str, terms: Sequence[dict[str, Any]]) -> tuple[LocationTerms, ...]:
    levels = {
        row["location_id"]: row
        for row in all_rows(
            connection,
            "select locations.location_id, locations.location_name, levels.base_quantity, levels.movement_quantity,"
            " case when isfinite(levels.as_of) then levels.as_of end as as_of, levels.received_at,"
            " levels.source_system_id, levels.record_id"
            " from governance.locations as locations"
            " left join canonical.stock_levels as levels"
            " on levels.location_id = locations.location_id and levels.sku = %s",
            (sku,),
        )
    }
    found = []
    for term in terms:
        level = levels.get(term["location_id"], {})
        found.append(
            LocationTerms(
                location_id=term["location_id"],
                location_name=level.get("location_name", term["location_id"]),
                source_system_id=term.get("source_system_id"),
                on_hand=_units(term["on_hand_quantity"]),
                base=_known_units(level.get("base_quantity")),
                movements=_known_units(level.get("movement_quantity")),
                damaged=_units(term["damaged_quantity"]),
                quality_control=_units(term["quality_control_quantity"]),
                withdrawn=_units(term["withdrawn_quantity"]),
                withdrawn_because=term["withdrawn_because"],
                sellable=_units(term["sellable_quantity"]),
                reserved=_units(term["reserved_quantity"]),
                safety_stock=term["safety_stock_quantity"],
                free=_units(term["free_quantity"]),
                shortfall=_units(term["shortfall_quantity"]),
                as_of=level.get("as_of"),
                received_at=level.get("received_at"),
                record=_record(level.get("source_system_id"), "stock_levels", level.get("record_id")),
            )
        )
    return tuple(found)


def _reservations(connection: Warehouse, sku: str, channel: str) -> tuple[ReservationTerm, ...]:
    """The open ones that count for this channel: at its locations, or not assigned to any yet."""
    rows = all_rows(
        connection,
        "select reservations.* from canonical.reservations as reservations"
        " where reservations.sku = %(sku)s and reservations.status = 'open' and (reservations.location_id is null"
        " or reservations.location_id in (select location_id from governance.channel_locations"
        " where channel = %(channel)s)) order by reservations.ordered_at, reservations.reservation_id",
        {"sku": sku, "channel": channel},
    )
    return tuple(
        ReservationTerm(
            order_name=row["order_name"],
            channel=row["channel"],
            location_id=row["location_id"],
            quantity=_units(row["quantity"]),
            ordered_at=row["ordered_at"],
            received_at=row["received_at"],
            record=_record(row["source_system_id"], "orders", row["record_id"]) or "no record",
        )
        for row in rows
    )


def _shown(connection: Warehouse, sku: str, channel: str) -> Shown | None:
    row = one_row(
        connection,
        "select listings.*, channels.system_id, exists (select from raw.stream_positions as positions"
        " where positions.system_id = channels.system_id and positions.stream = 'listings') as has_listings"
        " from canonical.channel_listings as listings inner join governance.channels as channels using (channel)"
        " where listings.sku = %s and listings.channel = %s",
        (sku, channel),
    )
    if row is None:
        return None
    stream = "listings" if row["has_listings"] else "stock_levels"
    return Shown(
        record_id=row["channel_record_id"],
        quantity=_known_units(row["shown_quantity"]),
        allocated=_units(row["allocated_quantity"]),
        is_listed=row["is_listed"],
        unlisted_because=row["unlisted_because"],
        observed_at=row["observed_at"],
        received_at=row["received_at"],
        record=_record(row["system_id"], stream, row["record_id"]) or "no record",
    )


def _corrections(connection: Warehouse, sku: str, channel: str) -> tuple[CorrectionStory, ...]:
    rows = all_rows(
        connection,
        "select * from outbox.changes where entity = 'stock' and subject_key = %s and target_system = %s"
        " order by change_id desc limit %s",
        (sku, channel, _CORRECTIONS_SHOWN),
    )
    keys = ([row["key"] for row in rows],)
    attempts = all_rows(connection, "select * from outbox.receipts where key = any(%s) order by receipt_id", keys)
    read_backs = all_rows(connection, "select * from outbox.read_backs where key = any(%s) order by read_back_id", keys)
    return tuple(
        CorrectionStory(
            correction_id=row["change_id"],
            expected=row["expected"],
            target=row["desired"],
            cause=row["cause"],
            status=row["status"],
            status_reason=row["status_reason"],
            proposed_at=row["proposed_at"],
            verified_at=row["verified_at"],
            run_id=row["run_id"],
            attempts=tuple(
                Attempt(each["attempt"], each["outcome"], each["http_status"], each["detail"], each["attempted_at"])
                for each in attempts
                if each["key"] == row["key"]
            ),
            read_backs=tuple(
                ReadBack(each["observed"], each["as_of"], each["is_verified"])
                for each in read_backs
                if each["key"] == row["key"]
            ),
        )
        for row in rows
    )


def _withheld(connection: Warehouse, sku: str, channel: str) -> tuple[Withheld, ...]:
    rows = connection.execute(
        "(select withheld_by, reason, since from gates.withheld"
        " where (target_system is null or target_system = %(channel)s)"
        " and (entity is null or entity = 'stock') and (subject_key is null or subject_key = %(sku)s)"
        " order by kind desc, since)"
        " union all select 'hold ' || holds.hold_id, holds.reason, holds.held_at from outbox.holds as holds"
        " where holds.decision is null and exists (select from outbox.changes as changes"
        " where changes.hold_id = holds.hold_id and changes.status = 'held' and changes.entity = 'stock'"
        " and changes.subject_key = %(sku)s and changes.target_system = %(channel)s)",
        {"sku": sku, "channel": channel},
    ).fetchall()
    return tuple(Withheld(*row) for row in rows)


def _no_position(connection: Warehouse, sku: str, channel: str) -> str:
    if one_row(connection, "select from canonical.products where sku = %s", (sku,)) is not None:
        return (
            f"{sku} is known, but no build has computed it for '{channel}' yet; run `trueup build`, and see that the"
            " applied configuration has the channel (`trueup tenant check`)"
        )
    spelling = one_row(
        connection,
        "select sku from canonical.products where governance.code_key(sku) = governance.code_key(%s)",
        (sku,),
    )
    if spelling is not None:
        return f"'{visible_code(sku)}' is {spelling['sku']} in another spelling; ask for {spelling['sku']}"
    alias = one_row(
        connection,
        "select sku, system_id from canonical.sku_aliases"
        " where governance.code_key(source_sku) = governance.code_key(%s) and sku is not null",
        (sku,),
    )
    if alias is not None:
        return f"'{sku}' is what {alias['system_id']} calls {alias['sku']}; ask for {alias['sku']}"
    # Only codes that begin alike are compared: a catalogue may have a million.
    rows = connection.execute(
        "select sku from canonical.products where sku ilike %s order by sku limit 5000",
        (sku[:3].replace("\\", "").replace("%", "").replace("_", "") + "%",),
    ).fetchall()
    return _unknown("SKU", sku, [str(row[0]) for row in rows])


def _unknown(what: str, name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or list(known[:3])
    return f"no {what} '{name}'" + (f"; did you mean {', '.join(near)}?" if near else "; there is none like it")


def _units(value: Decimal | float) -> Quantity:
    """A whole number where it is one, so that it prints as one; from JSON a fraction comes as a binary one."""
    exact = Decimal(str(value))
    return int(exact) if exact == exact.to_integral_value() else exact


def _known_units(value: Decimal | None) -> Quantity | None:
    return None if value is None else _units(value)


def _record(system_id: str | None, stream: str, record_id: int | None) -> str | None:
    return None if system_id is None or record_id is None else f"raw.{system_id}__{stream} #{record_id}"
