{{ config(
    unique_key=["system_id", "source_key", "line_id"],
    indexes=[
        {"columns": ["system_id", "source_key", "line_id"], "unique": true},
        {"columns": ["system_id", "source_item_id"]},
        {"columns": ["order_name"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "recomputed_by": {"kind": "order_name", "key": "row.order_name"},
        "hash_joins": "lines",
    },
) }}

-- After the reservations, which say what orders are to be looked at again.
-- depends_on: {{ ref("reservations") }}
{%- set build = build_state() %}

with order_lines as not materialized (
    select * from {{ ref("int_order_lines") }}
),

item_skus as not materialized (
    select * from {{ ref("int_item_skus") }}
),

products as not materialized (
    select * from {{ ref("products") }}
),

systems as not materialized (
    select * from {{ source("governance", "systems") }}
),

channels as not materialized (
    select * from {{ source("governance", "channels") }}
),

locations as not materialized (
    select * from {{ source("governance", "locations") }}
),

-- Few orders have a line that maps to no product: only those are looked into.
suspects as materialized (
    select distinct order_lines.order_name
    from order_lines
    left join item_skus
        on order_lines.system_id = item_skus.system_id and order_lines.source_item_id = item_skus.source_item_id
    where
        order_lines.is_current
        and not order_lines.is_deleted
        and order_lines.line_id <> ''
        and not order_lines.is_cancelled
        and order_lines.committed_quantity > 0
        and item_skus.sku is null
    {%- if is_part() %}
        and order_lines.order_name in ({{ touched("order_name", build.since) }})
        {%- endif %}
),

{{ order_demands("order_lines.order_name in (select suspects.order_name from suspects)") }},

unresolved as (
    select *
    from owned
    where system_id = owner_system_id and is_unresolved
),

-- What the copies say beyond the lines that do map: that is held, and stands for those that do not.
told as (
    select
        copies.owner_system_id,
        copies.order_name,
        sum(greatest(copies.committed_quantity - coalesce(originals.committed_quantity, 0), 0)) as told_quantity
    from copies
    left join originals
        on
            copies.owner_system_id = originals.owner_system_id
            and copies.order_name = originals.order_name
            and copies.sku = originals.sku
    group by copies.owner_system_id, copies.order_name
),

-- Who keeps the stock may have the line as well, as something that is no goods.
unheld as (
    select unresolved.*
    from unresolved
    where
        not exists (
            select 1
            from owned as copy_lines
            where
                copy_lines.owner_system_id = unresolved.owner_system_id
                and copy_lines.order_name = unresolved.order_name
                and copy_lines.system_id <> unresolved.system_id
                and governance.code_key(copy_lines.spelling) = governance.code_key(unresolved.spelling)
                and copy_lines.sku is null
                and copy_lines.classification <> 'bundle'
        )
),

counted as (
    select
        unheld.*,
        sum(unheld.committed_quantity) over (
            partition by unheld.owner_system_id, unheld.order_name
        ) as unheld_quantity
    from unheld
),

final as (
    select
        counted.system_id,
        counted.source_key,
        counted.line_id,
        counted.order_name,
        counted.own_order_name,
        counted.source_item_id,
        counted.spelling as source_sku,
        counted.committed_quantity,
        case
            when not counted.is_known_item then 'unknown'
            else coalesce(counted.classification, counted.match_rule)
        end as unheld_because,
        counted.record_id,
        counted.received_at,
        counted.correlation_id,
        {{ build.build_id }}::bigint as build_id
    from counted
    left join told
        on counted.owner_system_id = told.owner_system_id and counted.order_name = told.order_name
    where counted.unheld_quantity > coalesce(told.told_quantity, 0)
)

select * from final
