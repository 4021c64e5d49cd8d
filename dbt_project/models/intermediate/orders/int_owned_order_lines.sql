{{ config(
    unique_key=["system_id", "source_key", "line_id"],
    indexes=[
        {"columns": ["system_id", "source_key", "line_id"], "unique": true},
        {"columns": ["order_name"]},
        {"columns": ["system_id", "order_id"]},
        {"columns": ["system_id", "source_item_id"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "recomputed_by": {"kind": "order_name", "key": "row.order_name"},
        "hash_joins": "lines",
        "reached": [
            {"because": "an item that is another product now",
             "from": "item_sku", "to": "order_name", "through": "int_order_lines",
             "at": ["row.system_id", "row.source_item_id"], "key": "row.order_name"},
            {"because": "a line that names a code, not an item; also one that the alias file leads to the product",
             "from": "code", "to": "order_name", "through": "int_order_lines", "at": "row.code_key",
             "key": "row.order_name"},
            {"from": "code", "to": "alias", "through": "governance.sku_aliases", "at": "governance.code_key(row.sku)",
             "key": ["row.system_id", "governance.code_key(row.source_sku)"]},
            {"from": "alias", "to": "order_name", "through": "int_order_lines", "at": ["row.system_id", "row.code_key"],
             "key": "row.order_name"},
        ],
    },
) }}

-- depends_on: {{ ref("int_order_lines") }}
{%- set build = build_state() %}

with resolved as not materialized (
    select * from {{ ref("int_resolved_order_lines") }}
    {%- if is_part() %}
    where order_name in ({{ touched("order_name", build.since) }})
    {%- endif %}
),

systems as not materialized (
    select * from {{ source("governance", "systems") }}
),

channels as not materialized (
    select * from {{ source("governance", "channels") }}
),

taken as (
    select
        resolved.*,
        own_channel.channel,
        -- Taken by a shop, or by the online side of a system that has tills as well.
        resolved.role = 'shop' or own_channel.channel is not null as is_channel_order,
        coalesce(hinted_system.system_id, hinted_channel.system_id) as hinted_system_id
    from resolved
    left join lateral (
        select min(channels.channel) as channel
        from channels
        where
            channels.system_id = resolved.system_id
            and (resolved.source_location_id is null or resolved.source_location_id = channels.listing_location_id)
    ) as own_channel on true
    left join systems as hinted_system on resolved.origin_system_id = hinted_system.system_id
    left join channels as hinted_channel on resolved.origin_system_id = hinted_channel.channel
),

-- Who may own an order of a name, from the first to be asked: the channels, then the ERP, then the warehouses.
ranked as (
    select
        taken.*,
        case
            when taken.is_channel_order then 1
            when taken.role = 'erp' then 2
            when taken.role = 'warehouse' then 3
        end as owner_rank
    from taken
),

channel_names as (
    select
        order_name,
        min(system_id) as system_id,
        count(distinct system_id) as system_count
    from ranked
    where owner_rank = 1
    group by order_name
),

erp_lines as (
    select
        ranked.*,
        {{ owner_of_copy("ranked", "channel_names") }} as owner_system_id
    from ranked
    left join channel_names on ranked.order_name = channel_names.order_name
    where ranked.owner_rank = 2
),

-- An order that the ERP took itself is one of its name too.
erp_names as (
    select
        order_name,
        min(system_id) as system_id,
        count(distinct system_id) as system_count
    from (
        select
            order_name,
            system_id
        from ranked
        where owner_rank = 1
        union all
        select
            order_name,
            system_id
        from erp_lines
        where owner_system_id = system_id
    ) as named
    group by order_name
),

owned as (
    select
        ranked.*,
        ranked.system_id as owner_system_id
    from ranked
    where ranked.owner_rank = 1
    union all
    select * from erp_lines
    union all
    select
        ranked.*,
        {{ owner_of_copy("ranked", "erp_names") }} as owner_system_id
    from ranked
    left join erp_names on ranked.order_name = erp_names.order_name
    where ranked.owner_rank = 3
),

final as (
    select
        system_id,
        source_key,
        line_id,
        order_id,
        order_name,
        own_order_name,
        owner_system_id,
        system_id = owner_system_id as is_own,
        case
            when system_id = owner_system_id then 'own'
            when hinted_system_id is not null then 'origin_reference'
            else 'order_name'
        end as linked_by,
        case when system_id = owner_system_id then channel end as channel,
        source_item_id,
        source_sku,
        sku,
        match_rule,
        classification,
        is_known_item,
        is_unresolved,
        source_location_id,
        ordered_quantity,
        committed_quantity,
        shipped_quantity,
        is_cancelled,
        ordered_at,
        occurred_at,
        received_at,
        record_id,
        correlation_id,
        {{ build.build_id }}::bigint as build_id
    from owned
    where owner_system_id is not null
)

select * from final
