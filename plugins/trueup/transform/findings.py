"""What a build found that no rule settles: opened in the exception queue, closed when it is settled.

Items whose SKU matches no product, or two; codes on open orders that are neither a product nor declared as
something else.
"""

from trueup.exceptions.queue import NewException, close_exceptions, open_exceptions
from trueup.transform.plan import Plan
from trueup.warehouse.connection import Warehouse

_ACTOR = "trueup.transform"

_UNSETTLED_ITEMS = """
    select
        system_id,
        source_item_id,
        source_sku,
        match_rule,
        candidate_sku,
        correlation_id
    from staging.int_item_skus
    where
        sku is null
        and classification is null
        and build_id = %(build_id)s
    order by system_id, source_item_id
"""

# Every open exception is asked again, not only this build's items: what settles one may have been another's change.
_SETTLED_ITEMS = """
    select
        queue.kind,
        queue.system_id,
        queue.subject
    from exceptions.queue
    left join staging.int_item_skus as items
        on queue.system_id = items.system_id and queue.subject = items.source_item_id
    where
        queue.status = 'open'
        and queue.stream = 'products'
        and queue.kind in ('unmatched_sku', 'ambiguous_sku')
        and (
            items.source_item_id is null
            or items.sku is not null
            or items.classification is not null
            or items.match_rule <> split_part(queue.kind, '_', 1)
        )
"""

_UNKNOWN_CODES = """
    with unknown as (
        select
            lines.system_id,
            coalesce(nullif(lines.code_key, ''), lines.source_item_id, '(none)') as code,
            lines.own_order_name,
            lines.build_id,
            lines.correlation_id,
            lines.record_id
        from staging.int_order_lines as lines
        inner join governance.systems as systems on lines.system_id = systems.system_id
        left join staging.int_item_skus as items
            on lines.system_id = items.system_id and lines.source_item_id = items.source_item_id
        where
            lines.is_current
            and not lines.is_deleted
            and not lines.is_cancelled
            and lines.line_id <> ''
            and items.source_item_id is null
            and not exists (
                select 1
                from governance.non_stock_codes as codes
                where lines.code_key ~* ('^(' || codes.pattern || ')$')
            )
            and not exists (
                select 1
                from canonical.products as products
                where lower(products.sku) = lines.code_key
            )
            and not exists (
                select 1
                from governance.sku_aliases as aliases
                inner join canonical.products as products on aliases.sku = products.sku
                where aliases.system_id = lines.system_id and lower(trim(aliases.source_sku)) = lines.code_key
            )
            and ({restriction})
    )

    select
        system_id,
        code,
        count(*) as line_count,
        (array_agg(own_order_name order by record_id desc))[1] as order_name,
        (array_agg(correlation_id order by record_id desc))[1] as correlation_id
    from unknown
    group by system_id, code
    order by system_id, code
"""

_OPEN_CODES = """
    select system_id, subject
    from exceptions.queue
    where status = 'open' and kind = 'unclassified_code' and stream = 'orders'
"""


def report_findings(connection: Warehouse, plan: Plan, run_id: str) -> tuple[int, int]:
    """Open what this build found, close what it settled; (opened, closed), in the caller's transaction."""
    found = [*_items(connection, plan.build_id, run_id), *_codes(connection, plan.build_id, run_id)]
    opened = len(open_exceptions(connection, found))
    return opened, _close_items(connection) + _close_codes(connection)


def _items(connection: Warehouse, build_id: int | None, run_id: str) -> list[NewException]:
    rows = connection.execute(_UNSETTLED_ITEMS, {"build_id": build_id}).fetchall()
    found = []
    for system_id, item_id, source_sku, match_rule, candidate_sku, correlation_id in rows:
        if match_rule == "unmatched":
            reason = f"{system_id} calls it '{source_sku or ''}': no product has this SKU or its barcode"
        elif candidate_sku is None:
            reason = f"{system_id} calls it '{source_sku or ''}': more than one product has this SKU or its barcode"
        else:
            reason = f"{system_id} has another item that is product '{candidate_sku}' as well"
        found.append(
            NewException(
                kind=f"{match_rule}_sku",
                system_id=system_id,
                stream="products",
                subject=item_id,
                reason=reason,
                remedy=(
                    f"correct the SKU or the barcode in {system_id} or the ERP, or say which product it is in"
                    " the tenant's aliases.csv; until then its stock and listings are left out"
                ),
                correlation_id=correlation_id,
                run_id=run_id,
            )
        )
    return found


def _codes(connection: Warehouse, build_id: int | None, run_id: str) -> list[NewException]:
    rows = connection.execute(
        _UNKNOWN_CODES.format(restriction="lines.build_id = %(build_id)s"), {"build_id": build_id}
    ).fetchall()
    return [
        NewException(
            kind="unclassified_code",
            system_id=system_id,
            stream="orders",
            subject=code,
            reason=f"{line_count} order lines name '{code}', which is neither a product nor declared as anything else",
            remedy=(
                "if it is goods, give the product that SKU or an alias; if not, declare the code under"
                " non_stock_codes in channels.yml; until then nothing is reserved for it"
            ),
            payload={"order_name": order_name},
            correlation_id=correlation_id,
            run_id=run_id,
        )
        for system_id, code, line_count, order_name, correlation_id in rows
    ]


def _close_items(connection: Warehouse) -> int:
    closed = 0
    for kind, system_id, subject in connection.execute(_SETTLED_ITEMS).fetchall():
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
    open_codes = connection.execute(_OPEN_CODES).fetchall()
    if not open_codes:
        return 0
    rows = connection.execute(
        _UNKNOWN_CODES.format(restriction="lines.code_key = any(%(codes)s) or lines.source_item_id = any(%(codes)s)"),
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
