{{ config(materialized="view") }}

with order_lines as not materialized (
    select * from {{ ref("int_order_lines") }}
    where is_current and not is_deleted and line_id <> ''
),

item_skus as not materialized (
    select * from {{ ref("int_item_skus") }}
),

systems as not materialized (
    select * from {{ source("governance", "systems") }}
),

-- One spelling may stand twice in the tenant's file.
aliases as (
    select
        system_id,
        governance.code_key(source_sku) as source_key,
        array_agg(governance.code_key(sku)) as sku_keys
    from {{ source("governance", "sku_aliases") }}
    group by system_id, governance.code_key(source_sku)
),

identified as (
    select
        order_lines.*,
        item_skus.source_item_id is not null as is_known_item,
        item_skus.sku as item_sku,
        item_skus.match_rule,
        item_skus.classification,
        coalesce(item_skus.source_sku, order_lines.source_code) as source_sku,
        systems.role
    from order_lines
    inner join systems on order_lines.system_id = systems.system_id
    left join item_skus
        on order_lines.system_id = item_skus.system_id and order_lines.source_item_id = item_skus.source_item_id
),

-- A line that names no item that we know is looked up by its code, unless that is declared as something else than
-- goods. What is not looked up costs nothing: the search is left out for it.
final as (
    select
        identified.system_id,
        identified.source_key,
        identified.line_id,
        identified.order_id,
        identified.order_name,
        identified.own_order_name,
        identified.origin_order_name,
        identified.origin_system_id,
        identified.role,
        identified.source_item_id,
        identified.source_sku,
        identified.match_rule,
        identified.classification,
        identified.is_known_item,
        coalesce(identified.item_sku, coded.sku) as sku,
        -- Goods, wanted still, and of no product that we know. A bundle is of others, and what a shop does not count
        -- may be one; who keeps the stock and does not count an item says that it is no goods.
        coalesce(identified.item_sku, coded.sku) is null
        and not identified.is_cancelled
        and identified.committed_quantity > 0
        and case
            when identified.is_known_item
                then
                    coalesce(identified.classification, 'bundle') = 'bundle'
                    or (identified.classification = 'not_stocked' and identified.role in ('shop', 'tills'))
            else not coalesce(coded.is_declared, false)
        end as is_unresolved,
        identified.source_location_id,
        identified.ordered_quantity,
        identified.committed_quantity,
        identified.shipped_quantity,
        identified.is_cancelled,
        identified.ordered_at,
        identified.occurred_at,
        identified.received_at,
        identified.record_id,
        identified.correlation_id,
        identified.code_key,
        identified.build_id
    from identified
    left join aliases
        on
            identified.system_id = aliases.system_id
            and identified.code_key = aliases.source_key
            and not identified.is_known_item
    left join lateral (
        select
            declared.is_declared,
            case when count(distinct products.sku) = 1 then min(products.sku) end as sku
        from (
            select
                exists(
                    select 1
                    from {{ source("governance", "non_stock_codes") }} as non_stock_codes
                    where identified.code_key ~* ('^(' || governance.clean_code(non_stock_codes.pattern) || ')$')
                ) as is_declared
        ) as declared
        left join {{ ref("products") }} as products
            on
                not declared.is_declared
                and governance.code_key(products.sku) = any(aliases.sku_keys || identified.code_key)
        group by declared.is_declared
    ) as coded on not identified.is_known_item
)

select * from final
