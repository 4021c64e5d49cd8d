"""Orders: codes that are neither a product nor declared as something else, and lines for which nothing is held."""

from collections.abc import Mapping
from typing import Any

from trueup.domain.codes import visible_code
from trueup.exceptions.queue import NewException
from trueup.transform.findings import Finding

_NOT_HELD_BECAUSE = {
    "not_stocked": "whose stock {system} does not count",
    "bundle": "which is a bundle",
    "ambiguous": "which may be several products",
    "unmatched": "which is no product",
}

_UNKNOWN_CODES = """
    select
        lines.system_id,
        coalesce(lines.code_key, lines.source_item_id, '(none)') as code,
        count(*) as line_count,
        (array_agg(coalesce(lines.source_sku, lines.source_item_id, '(none)') order by lines.record_id desc))[1]
            as spelling,
        (array_agg(lines.own_order_name order by lines.record_id desc))[1] as order_name,
        (array_agg(lines.correlation_id order by lines.record_id desc))[1] as correlation_id
    from staging.int_resolved_order_lines as lines
    where lines.is_unresolved and not lines.is_known_item and ({restriction})
    group by 1, 2
    order by 1, 2
"""

_KNOWN_CODES = """
    with unknown as materialized (
        {codes}
    )

    select
        queue.kind,
        queue.system_id,
        queue.stream,
        queue.subject
    from exceptions.queue
    where
        queue.status = 'open'
        and queue.kind = 'unclassified_code'
        and not exists (
            select 1
            from unknown
            where unknown.system_id = queue.system_id and unknown.code = queue.subject
        )
"""

# What this build found of an item, counted over all its lines. Lines whose code nobody knows are found by their code.
# Order by order, for the view is made to be asked so.
_UNHELD_LINES = """
    with found as (
        select distinct
            lines.system_id,
            lines.source_item_id
        from staging.int_owned_order_lines as lines
        where
            lines.is_own
            and lines.is_unresolved
            and lines.is_known_item
            and (
                %(is_every_row)s
                or lines.order_name in (
                    select touched_keys.key
                    from staging.touched_keys
                    where touched_keys.kind = 'order_name' and touched_keys.build_id > %(since_build_id)s
                )
            )
    ),

    orders as (
        select distinct lines.order_name
        from found
        inner join staging.int_owned_order_lines as lines
            on found.system_id = lines.system_id and found.source_item_id = lines.source_item_id
        where lines.is_own and lines.is_unresolved
    )

    select
        unheld.owner_system_id as system_id,
        unheld.source_item_id,
        (array_agg(coalesce(unheld.source_sku, unheld.source_item_id) order by unheld.record_id desc))[1] as code,
        (array_agg(unheld.unheld_because order by unheld.record_id desc))[1] as because,
        count(*) as line_count,
        sum(unheld.committed_quantity) as unit_count,
        (array_agg(unheld.own_order_name order by unheld.record_id desc))[1] as order_name,
        (array_agg(unheld.correlation_id order by unheld.record_id desc))[1] as correlation_id
    from orders
    cross join lateral (
        select lines.*
        from canonical.unheld_order_lines as lines
        where lines.order_name = orders.order_name
    ) as unheld
    inner join found
        on unheld.owner_system_id = found.system_id and unheld.source_item_id = found.source_item_id
    where unheld.unheld_because <> 'unknown'
    group by unheld.owner_system_id, unheld.source_item_id
    order by unheld.owner_system_id, unheld.source_item_id
"""

_HELD_LINES = """
    select
        queue.kind,
        queue.system_id,
        queue.stream,
        queue.subject
    from exceptions.queue
    where
        queue.status = 'open'
        and queue.kind = 'order_line_not_held'
        and not exists (
            select 1
            from staging.int_owned_order_lines as lines
            cross join lateral (
                select unheld.*
                from canonical.unheld_order_lines as unheld
                where unheld.order_name = lines.order_name
            ) as found
            where
                lines.system_id = queue.system_id
                and lines.source_item_id = queue.subject
                and lines.is_own
                and lines.is_unresolved
                and found.owner_system_id = queue.system_id
                and found.source_item_id = queue.subject
                and found.unheld_because <> 'unknown'
        )
"""


def _unknown_code(row: Mapping[str, Any]) -> NewException:
    return NewException(
        kind="unclassified_code",
        system_id=row["system_id"],
        stream="orders",
        subject=row["code"],
        reason=(
            f'{row["line_count"]} order lines name "{visible_code(row["spelling"])}", which is neither a product nor'
            " declared as anything else"
        ),
        remedy=(
            "if it is goods, give the product that SKU or an alias; if not, declare the code under"
            " non_stock_codes in channels.yml; until then nothing is reserved for it"
        ),
        payload={"order_name": row["order_name"]},
        correlation_id=row["correlation_id"],
    )


def _unheld_lines(row: Mapping[str, Any]) -> NewException:
    because = _NOT_HELD_BECAUSE[row["because"]].format(system=row["system_id"])
    return NewException(
        kind="order_line_not_held",
        system_id=row["system_id"],
        stream="orders",
        subject=row["source_item_id"],
        reason=(
            f"{row['line_count']} order lines ({row['unit_count']} units; the newest is of {row['order_name']}) name"
            f' "{visible_code(row["code"])}", {because}; no copy of these orders says what it consists of, so'
            " nothing is held for them"
        ),
        remedy=(
            "if it is goods, give it the SKU of a product or an alias in aliases.csv; if it is a bundle, let the"
            " ERP's copy of the order list what is in it; if it is neither, declare its code under non_stock_codes"
            " in channels.yml; until then these units may be sold twice"
        ),
        payload={"order_name": row["order_name"], "code": row["code"]},
        correlation_id=row["correlation_id"],
    )


FINDINGS = (
    Finding(
        kinds=("unclassified_code",),
        query=_UNKNOWN_CODES.format(restriction="lines.build_id = %(build_id)s"),
        as_exception=_unknown_code,
        query_over=_KNOWN_CODES.format(
            codes=_UNKNOWN_CODES.format(
                restriction="lines.code_key = any(%(subjects)s) or lines.source_item_id = any(%(subjects)s)"
            )
        ),
        closed_because="the code is a product's or declared now, or no open order names it any more",
    ),
    Finding(
        kinds=("order_line_not_held",),
        query=_UNHELD_LINES,
        as_exception=_unheld_lines,
        query_over=_HELD_LINES,
        closed_because=(
            "no open order has such a line any more, or it maps to a product, or a copy says what it consists of"
        ),
    ),
)
