{{ config(
    materialized="incremental",
    unique_key=["sku"],
    indexes=[
        {"columns": ["sku"], "unique": true},
        {"columns": ["governance.code_key(sku)"]},
        {"columns": ["governance.gtin_key(gtin)"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "recomputed_by": {"kind": "code", "key": "governance.code_key(row.sku)"},
        "touches": {"position": "row.sku"},
    },
) }}

{%- set build = build_state() %}

with source_items as not materialized (
    select * from {{ ref("int_source_items") }}
),

systems as not materialized (
    select * from {{ source("governance", "systems") }}
),

-- The ERP is the master: what it does not know is not a product, and what it does not stock is not one of ours to sell.
-- Two spellings of one code are one product.
mastered as (
    select
        governance.clean_code(source_items.source_sku) as sku,
        source_items.title,
        source_items.category,
        source_items.gtin,
        source_items.is_active,
        source_items.system_id as source_system_id,
        row_number() over (
            partition by source_items.code_key
            order by source_items.is_active desc, source_items.system_id asc, source_items.source_item_id asc
        ) as preference
    from source_items
    inner join systems on source_items.system_id = systems.system_id
    where
        systems.role = 'erp'
        and source_items.is_current
        and not source_items.is_deleted
        and source_items.is_stocked
        and source_items.code_key is not null
        and {{ "source_items.code_key in (" ~ touched("code", build.since) ~ ")" if is_part() else "true" }}
),

final as (
    select
        sku,
        title,
        category,
        gtin,
        is_active,
        source_system_id,
        {{ build.build_id }}::bigint as build_id
    from mastered
    where preference = 1
)

select * from final
