with item_skus as not materialized (
    select * from {{ ref("int_item_skus") }}
),

final as (
    select
        system_id,
        source_item_id,
        source_stock_item_id,
        source_sku,
        sku,
        contested_sku,
        match_rule,
        classification,
        is_active,
        record_id,
        correlation_id,
        build_id
    from item_skus
)

select * from final
