{#-
CTEs that decide, line by line, whose an order is and what its lines are of: `owned` and what is derived from it.

    identified   current lines of orders, with the item that they name where we know it
    owned        each line with its SKU (null: none) and the system whose order it is; a copy bears its original's
    orders       the owners' own records: is there a line that is goods and maps to no product (is_unresolved)
    originals    what the owner's record asks for, by SKU
    copied       what each copy asks for, by SKU; `placed_quantity` of it at places of that system's own
    copies       the copies' word on each SKU, of the orders whose own record is missing or does not account for all

The model has `order_lines`, `item_skus`, `products`, `systems`, `channels` and `locations`, and gives the condition for
the lines to read.
-#}
{% macro order_demands(condition) -%}
aliases as materialized (
    select
        system_id,
        governance.code_key(source_sku) as source_key,
        governance.code_key(sku) as sku_key
    from {{ source("governance", "sku_aliases") }}
),

non_stock_codes as materialized (
    select '^(' || governance.clean_code(pattern) || ')$' as pattern
    from {{ source("governance", "non_stock_codes") }}
),

lines as (
    select
        order_lines.*,
        systems.role,
        systems.clock_uncertainty_seconds
    from order_lines
    inner join systems on order_lines.system_id = systems.system_id
    where
        order_lines.is_current
        and not order_lines.is_deleted
        and order_lines.line_id <> ''
        and {{ condition }}
),

identified as (
    select
        lines.*,
        item_skus.source_item_id is not null as is_known_item,
        item_skus.sku as item_sku,
        item_skus.match_rule,
        item_skus.classification,
        coalesce(item_skus.source_sku, lines.source_code) as spelling
    from lines
    left join item_skus on lines.system_id = item_skus.system_id and lines.source_item_id = item_skus.source_item_id
),

-- A line that names no item that we know is looked up by its code, unless that is declared as something else than
-- goods.
coded as (
    select
        identified.system_id,
        identified.code_key,
        case when count(distinct products.sku) = 1 then min(products.sku) end as sku
    from identified
    left join aliases on identified.system_id = aliases.system_id and identified.code_key = aliases.source_key
    inner join products on governance.code_key(products.sku) in (identified.code_key, aliases.sku_key)
    where
        not identified.is_known_item
        and not exists (
            select 1
            from non_stock_codes
            where identified.code_key ~* non_stock_codes.pattern
        )
    group by identified.system_id, identified.code_key
),

resolved as (
    select
        identified.*,
        coalesce(identified.item_sku, coded.sku) as sku,
        -- Goods, wanted still, and of no product that we know. A bundle is of others, and what a shop does not count may
        -- be one; who keeps the stock and does not count an item says that it is no goods.
        coalesce(identified.item_sku, coded.sku) is null
        and not identified.is_cancelled
        and identified.committed_quantity > 0
        and case
            when identified.is_known_item
                then
                    coalesce(identified.classification, 'bundle') = 'bundle'
                    or (identified.classification = 'not_stocked' and identified.role in ('shop', 'tills'))
            else
                not exists (
                    select 1
                    from non_stock_codes
                    where identified.code_key ~* non_stock_codes.pattern
                )
        end as is_unresolved
    from identified
    left join coded
        on
            identified.system_id = coded.system_id
            and identified.code_key = coded.code_key
            and not identified.is_known_item
),

taken as (
    select
        resolved.*,
        own_channel.channel as own_channel,
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

channel_names as (
    select
        order_name,
        min(system_id) as system_id,
        count(distinct system_id) as system_count
    from taken
    where is_channel_order
    group by order_name
),

erp_lines as (
    select
        taken.*,
        {{ owner_of_copy("channel_names") }} as owner_system_id
    from taken
    left join channel_names on taken.order_name = channel_names.order_name
    where taken.role = 'erp' and not taken.is_channel_order
),

erp_names as (
    select
        order_name,
        min(system_id) as system_id,
        count(distinct system_id) as system_count
    from (
        select
            order_name,
            system_id
        from taken
        where is_channel_order
        union all
        select
            order_name,
            system_id
        from erp_lines
        where owner_system_id = system_id
    ) as named
    group by order_name
),

warehouse_lines as (
    select
        taken.*,
        {{ owner_of_copy("erp_names") }} as owner_system_id
    from taken
    left join erp_names on taken.order_name = erp_names.order_name
    where taken.role = 'warehouse' and not taken.is_channel_order
),

owned as (
    select
        taken.*,
        taken.system_id as owner_system_id
    from taken
    where taken.is_channel_order
    union all
    select * from erp_lines
    where owner_system_id is not null
    union all
    select * from warehouse_lines
    where owner_system_id is not null
),

orders as (
    select
        owner_system_id,
        order_name,
        max(own_channel) as channel,
        bool_or(is_unresolved) as is_unresolved
    from owned
    where system_id = owner_system_id
    group by owner_system_id, order_name
),

originals as (
    select
        owner_system_id,
        order_name,
        sku,
        max(own_channel) as channel,
        min(line_id) as order_line_id,
        sum(ordered_quantity) as ordered_quantity,
        sum(case when is_cancelled then 0 else committed_quantity end) as committed_quantity,
        bool_and(is_cancelled) as is_cancelled
    from owned
    where system_id = owner_system_id and sku is not null
    group by owner_system_id, order_name, sku
),

copied as (
    select
        owned.owner_system_id,
        owned.order_name,
        owned.sku,
        owned.system_id,
        orders.channel,
        min(owned.line_id) as order_line_id,
        sum(owned.ordered_quantity) as ordered_quantity,
        sum(case when owned.is_cancelled then 0 else owned.committed_quantity end) as committed_quantity,
        sum(
            case
                when owned.is_cancelled or locations.location_id is null then 0
                else owned.committed_quantity
            end
        ) as placed_quantity,
        bool_and(owned.is_cancelled) as is_cancelled
    from owned
    left join orders
        on owned.owner_system_id = orders.owner_system_id and owned.order_name = orders.order_name
    left join locations
        on owned.system_id = locations.system_id and owned.source_location_id = locations.source_location_id
    where
        owned.system_id <> owned.owner_system_id
        and owned.sku is not null
        and (orders.order_name is null or orders.is_unresolved)
    group by owned.owner_system_id, owned.order_name, owned.sku, owned.system_id, orders.channel
),

-- Two copies tell of the same units, but for those that each has at places of its own: these are different ones.
copies as (
    select
        owner_system_id,
        order_name,
        sku,
        max(channel) as channel,
        (array_agg(order_line_id order by committed_quantity desc, system_id asc))[1] as order_line_id,
        greatest(max(ordered_quantity), sum(placed_quantity)) as ordered_quantity,
        greatest(max(committed_quantity), sum(placed_quantity)) as committed_quantity,
        bool_and(is_cancelled) as is_cancelled
    from copied
    group by owner_system_id, order_name, sku
)
{%- endmacro %}

{#-
Whose order a copy is: what it says; else, of the systems in `names` that have an order of its name, the only one. Of
none, and it is the system's own; of several, and it is one of theirs (null), so it must not be held a second time.
-#}
{% macro owner_of_copy(names) -%}
case
            when taken.hinted_system_id is not null then taken.hinted_system_id
            when taken.origin_order_name is null or {{ names }}.system_count is null then taken.system_id
            when {{ names }}.system_count = 1 then {{ names }}.system_id
        end
{%- endmacro %}
