"""What a build found that no rule settles: opened in the exception queue, closed when it is settled.

Items whose SKU matches no product, or two; codes on open orders that are neither a product nor declared as
something else; order lines for which nothing is held; places that are switched off; products that are listed still and
not sold any more.
"""

from trueup.domain.codes import visible_code
from trueup.exceptions.queue import NewException, close_exceptions, open_exceptions
from trueup.transform.finding_queries import (
    OPEN_CODES,
    SETTLED_ITEMS,
    SETTLED_LINES,
    SETTLED_PLACES,
    SETTLED_PRODUCTS,
    SWITCHED_OFF,
    UNHELD_LINES,
    UNKNOWN_CODES,
    UNSETTLED_ITEMS,
    WITHDRAWN_PRODUCTS,
)
from trueup.transform.plan import Plan
from trueup.warehouse.connection import Warehouse

_ACTOR = "trueup.transform"

# Kind, stream, the statement that finds the open ones that are settled now, and what to say of them.
_SETTLED = (
    (
        "order_line_not_held",
        "orders",
        SETTLED_LINES,
        "no open order has such a line any more, or it maps to a product, or a copy says what it consists of",
    ),
    ("place_switched_off", "locations", SETTLED_PLACES, "the place is in use again, or the tenant uses it no more"),
    ("not_sold_any_more", "products", SETTLED_PRODUCTS, "it is active again, listed no more, or gone"),
)


def report_findings(connection: Warehouse, plan: Plan, run_id: str) -> tuple[int, int]:
    """Open what this build found, close what it settled; (opened, closed), in the caller's transaction."""
    found = [
        *_items(connection, plan.build_id, run_id),
        *_codes(connection, plan.build_id, run_id),
        *_unheld_lines(connection, plan, run_id),
        *_places(connection, plan, run_id),
        *_withdrawn_products(connection, plan.build_id, run_id),
    ]
    opened = len(open_exceptions(connection, found))
    closed = _close_items(connection) + _close_codes(connection)
    for kind, stream, query, reason in _SETTLED:
        closed += _close(connection, kind, stream, query, reason)
    return opened, closed


def _items(connection: Warehouse, build_id: int | None, run_id: str) -> list[NewException]:
    rows = connection.execute(UNSETTLED_ITEMS, {"build_id": build_id}).fetchall()
    found = []
    for system_id, item_id, source_sku, match_rule, candidate_sku, is_contested, role, correlation_id in rows:
        spelling = f'{system_id} calls it "{visible_code(source_sku)}"'
        product = f'product "{visible_code(candidate_sku)}"'
        if match_rule == "unmatched":
            reason = f"{spelling}: no product has this SKU or its barcode"
            effect = "until then its stock and listings are left out"
        elif candidate_sku is None:
            reason = f"{spelling}: more than one product has this SKU or its barcode"
            effect = "until then its stock and listings are left out"
        elif is_contested:
            reason = f"{spelling}: {system_id} has another item that is {product} as well, on the same evidence"
            effect = (
                "until then nothing is pushed to either listing, and each shows what it showed: take one of them down"
                if role == "shop"
                else f"until then the product's stock in {system_id} is unknown, and nothing is pushed from it"
            )
        else:
            reason = f"{spelling}: {system_id} has another item that is {product} on better evidence"
            effect = "until then the stock and the listing of this one are left out, and that shows what it showed"
        found.append(
            NewException(
                kind=f"{match_rule}_sku",
                system_id=system_id,
                stream="products",
                subject=item_id,
                reason=reason,
                remedy=(
                    f"correct the SKU or the barcode in {system_id} or the ERP, or say which product it is in"
                    f" the tenant's aliases.csv; {effect}"
                ),
                correlation_id=correlation_id,
                run_id=run_id,
            )
        )
    return found


def _unheld_lines(connection: Warehouse, plan: Plan, run_id: str) -> list[NewException]:
    rows = connection.execute(
        UNHELD_LINES,
        {"is_everything": plan.is_full or bool(plan.remade), "since_build_id": plan.since_build_id},
    ).fetchall()
    why = {
        "not_stocked": "whose stock {system} does not count",
        "bundle": "which is a bundle",
        "ambiguous": "which may be several products",
        "unmatched": "which is no product",
    }
    return [
        NewException(
            kind="order_line_not_held",
            system_id=system_id,
            stream="orders",
            subject=item_id,
            reason=(
                f'{line_count} order lines ({units} units; the newest is of {order_name}) name "{visible_code(code)}",'
                f" {why[because].format(system=system_id)}; no copy of these orders says what it consists of, so"
                " nothing is held for them"
            ),
            remedy=(
                "if it is goods, give it the SKU of a product or an alias in aliases.csv; if it is a bundle, let the"
                " ERP's copy of the order list what is in it; if it is neither, declare its code under non_stock_codes"
                " in channels.yml; until then these units may be sold twice"
            ),
            payload={"order_name": order_name, "code": code},
            correlation_id=correlation_id,
            run_id=run_id,
        )
        for system_id, item_id, code, because, line_count, units, order_name, correlation_id in rows
    ]


def _places(connection: Warehouse, plan: Plan, run_id: str) -> list[NewException]:
    """Places that the tenant declared and their system has switched off, has removed or does not know."""
    rows = connection.execute(
        SWITCHED_OFF, {"build_id": plan.build_id, "is_declared_anew": plan.is_marts_full}
    ).fetchall()
    found = []
    for system_id, place, name, status, stocked_as, listed_by, correlation_id in rows:
        uses = [f"holds the stock of {stocked_as}"] if stocked_as else []
        uses += [f"is where {listed_by} lists"] if listed_by else []
        effects = ["its stock is not offered on any channel"] if stocked_as else []
        effects += [f"nothing is pushed to {listed_by}"] if listed_by else []
        state = {"inactive": "switched off", "removed": "removed", "not_seen": "not among its places"}[status]
        found.append(
            NewException(
                kind="place_switched_off",
                system_id=system_id,
                stream="locations",
                subject=place,
                reason=f'{system_id}: place {place} ("{name or ""}") {" and ".join(uses)}, and is {state}',
                remedy=(
                    f"switch it on again in {system_id}, or change it in the tenant's systems.yml and channels.yml;"
                    f" until then {' and '.join(effects) if status != 'not_seen' else 'nothing is read of it'}"
                ),
                correlation_id=correlation_id,
                run_id=run_id,
            )
        )
    return found


def _withdrawn_products(connection: Warehouse, build_id: int | None, run_id: str) -> list[NewException]:
    rows = connection.execute(WITHDRAWN_PRODUCTS, {"build_id": build_id}).fetchall()
    return [
        NewException(
            kind="not_sold_any_more",
            stream="products",
            subject=sku,
            reason=(
                f'"{visible_code(sku)}" is {because}, but there are {units} units of it and {channels} still lists it;'
                " these units are not offered"
            ),
            remedy=(
                "make it active again where it is inactive, or take the listing down; this closes itself then, and when"
                " the units are gone"
            ),
            correlation_id=correlation_id,
            run_id=run_id,
        )
        for sku, because, units, channels, correlation_id in rows
    ]


def _codes(connection: Warehouse, build_id: int | None, run_id: str) -> list[NewException]:
    rows = connection.execute(
        UNKNOWN_CODES.format(restriction="lines.build_id = %(build_id)s"), {"build_id": build_id}
    ).fetchall()
    return [
        NewException(
            kind="unclassified_code",
            system_id=system_id,
            stream="orders",
            subject=code,
            reason=(
                f'{line_count} order lines name "{visible_code(spelling)}", which is neither a product nor declared as'
                " anything else"
            ),
            remedy=(
                "if it is goods, give the product that SKU or an alias; if not, declare the code under"
                " non_stock_codes in channels.yml; until then nothing is reserved for it"
            ),
            payload={"order_name": order_name},
            correlation_id=correlation_id,
            run_id=run_id,
        )
        for system_id, code, line_count, spelling, order_name, correlation_id in rows
    ]


def _close_items(connection: Warehouse) -> int:
    closed = 0
    for kind, system_id, subject in connection.execute(SETTLED_ITEMS).fetchall():
        closed += len(
            close_exceptions(
                connection,
                kind=kind,
                system_id=system_id,
                stream="products",
                subjects=[subject],
                closed_by=_ACTOR,
                reason="the item is settled now",
            )
        )
    return closed


def _close_codes(connection: Warehouse) -> int:
    open_codes = connection.execute(OPEN_CODES).fetchall()
    if not open_codes:
        return 0
    rows = connection.execute(
        UNKNOWN_CODES.format(restriction="lines.code_key = any(%(codes)s) or lines.source_item_id = any(%(codes)s)"),
        {"codes": [code for _, code in open_codes]},
    ).fetchall()
    still_unknown = {(system_id, code) for system_id, code, *_ in rows}
    closed = 0
    for system_id, code in open_codes:
        if (system_id, code) not in still_unknown:
            closed += len(
                close_exceptions(
                    connection,
                    kind="unclassified_code",
                    system_id=system_id,
                    stream="orders",
                    subjects=[code],
                    closed_by=_ACTOR,
                    reason="the code is a product's or declared now, or no open order names it any more",
                )
            )
    return closed


def _close(connection: Warehouse, kind: str, stream: str, query: str, reason: str) -> int:
    by_system: dict[str | None, list[str]] = {}
    for system_id, subject in connection.execute(query, {}).fetchall():
        by_system.setdefault(system_id, []).append(subject)
    return sum(
        len(
            close_exceptions(
                connection,
                kind=kind,
                system_id=system_id,
                stream=stream,
                subjects=subjects,
                closed_by=_ACTOR,
                reason=reason,
            )
        )
        for system_id, subjects in by_system.items()
    )
