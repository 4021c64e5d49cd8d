{{ config(
    unique_key=["system_id", "source_item_id"],
    indexes=[
        {"columns": ["system_id", "source_item_id"], "unique": true},
        {"columns": ["system_id", "source_stock_item_id"]},
        {"columns": ["sku"]},
        {"columns": ["system_id", "candidate_sku"]},
        {"columns": ["contested_sku"]}, {"columns": ["build_id"]},
    ],
    meta={
        "recomputed_by": {"kind": "resolve", "key": ["row.system_id", "row.source_item_id"]},
        "touches": {
            "item_sku": ["row.system_id", "row.source_item_id"],
            "sku": "row.sku",
            "position": "row.contested_sku",
            "shipped_item": ["row.system_id", "row.source_stock_item_id"],
        },
        "reached": [
            {"from": "code", "to": "alias", "through": "governance.sku_aliases", "at": "governance.code_key(row.sku)",
             "key": ["row.system_id", "governance.code_key(row.source_sku)"]},
            {"from": "item", "to": "named_item"}, {"from": "named_item", "to": "resolve"},
            {"from": "code", "to": "named_item", "through": "int_source_items", "at": "row.code_key",
             "key": ["row.system_id", "row.source_item_id"]},
            {"from": "gtin", "to": "named_item", "through": "int_source_items", "at": "row.gtin_key",
             "key": ["row.system_id", "row.source_item_id"]},
            {"from": "alias", "to": "named_item", "through": "int_source_items",
             "at": ["row.system_id", "row.code_key"], "key": ["row.system_id", "row.source_item_id"]},
            {"from": "code", "to": "product", "through": "products", "at": "governance.code_key(row.sku)",
             "key": "row.sku"},
            {"from": "gtin", "to": "product", "through": "products", "at": "governance.gtin_key(row.gtin)",
             "key": "row.sku"},
            {"because": "It may claim by the alias file what another item has", "from": "code", "to": "product",
             "through": "governance.sku_aliases", "at": "governance.code_key(row.source_sku)", "key": "beside.sku",
             "beside": "products", "on": "governance.code_key(row.sku) = governance.code_key(beside.sku)"},
            {"from": "named_item", "to": "claim", "through": "this", "at": ["row.system_id", "row.source_item_id"],
             "key": ["row.system_id", "row.candidate_sku"]},
            {"from": "product", "to": "claim", "through": "this", "at": "row.candidate_sku",
             "key": ["row.system_id", "row.candidate_sku"]},
            {"from": "claim", "to": "resolve", "through": "this", "at": ["row.system_id", "row.candidate_sku"],
             "key": ["row.system_id", "row.source_item_id"]},
        ],
    },
) }}

{%- set build = build_state() %}
with aliases as materialized (
    select
        system_id,
        governance.code_key(source_sku) as source_key,
        governance.code_key(sku) as sku_key
    from {{ source("governance", "sku_aliases") }}
),

non_stock_codes as materialized (
    select
        '^(' || governance.clean_code(pattern) || ')$' as pattern,
        classification
    from {{ source("governance", "non_stock_codes") }}
),

items as (
    select distinct on (source_items.system_id, source_items.source_item_id) source_items.*
    from {{ ref("int_source_items") }} as source_items
    where
        source_items.is_current
        and not source_items.is_deleted
        and source_items.source_item_id <> ''
        and {{ key_of(["source_items.system_id", "source_items.source_item_id"], "source_items")
            ~ " in (" ~ touched("resolve", build.since) ~ ")" if is_part() else "true" }}
    order by source_items.system_id asc, source_items.source_item_id asc, source_items.record_id desc
),

products as not materialized (
    select * from {{ ref("products") }}
),

-- Every product that a rule would take, by rule; the first rule with any decides.
matches as (
    select
        items.system_id,
        items.source_item_id,
        1 as rule_order,
        'exact_sku' as match_rule,
        products.sku
    from items
    inner join products on items.code_key = governance.code_key(products.sku)
    union all
    select
        items.system_id,
        items.source_item_id,
        2 as rule_order,
        'gtin' as match_rule,
        products.sku
    from items
    inner join products on items.gtin_key = governance.gtin_key(products.gtin)
    union all
    select
        items.system_id,
        items.source_item_id,
        3 as rule_order,
        'alias_file' as match_rule,
        products.sku
    from items
    inner join aliases on items.system_id = aliases.system_id and items.code_key = aliases.source_key
    inner join products on aliases.sku_key = governance.code_key(products.sku)
),

counted as (
    select
        system_id,
        source_item_id,
        rule_order,
        match_rule,
        min(sku) as sku,
        count(distinct sku) as match_count
    from matches
    group by system_id, source_item_id, rule_order, match_rule
),

first_found as (
    select distinct on (system_id, source_item_id) *
    from counted
    order by system_id asc, source_item_id asc, rule_order asc
),

-- The first rule that finds any product decides. Where it finds two, only the tenant's own word (the alias file) can.
candidates as (
    select
        items.*,
        first_found.rule_order is not null as has_match,
        deciding.sku as candidate_sku,
        deciding.match_rule as candidate_rule,
        case when items.is_active then deciding.rule_order else deciding.rule_order + 10 end as own_order
    from items
    left join first_found
        on items.system_id = first_found.system_id and items.source_item_id = first_found.source_item_id
    left join counted as deciding
        on
            items.system_id = deciding.system_id
            and items.source_item_id = deciding.source_item_id
            and deciding.rule_order = case when first_found.match_count = 1 then first_found.rule_order else 3 end
),

-- Two live items of one system that claim one product: the better evidence has it; equal evidence is nobody's.
ranked as (
    select
        candidates.*,
        min(candidates.own_order) over (partition by candidates.system_id, candidates.candidate_sku) as best_order
    from candidates
),

claimed as (
    select
        ranked.*,
        count(*) filter (where ranked.own_order = ranked.best_order) over (
            partition by ranked.system_id, ranked.candidate_sku
        ) as claim_count
    from ranked
),

final as (
    select
        claimed.system_id,
        claimed.source_item_id,
        claimed.source_stock_item_id,
        claimed.source_sku,
        claimed.gtin,
        claimed.candidate_sku,
        case
            when claimed.own_order = claimed.best_order and claimed.claim_count = 1 then claimed.candidate_sku
        end as sku,
        case
            when claimed.candidate_sku is null and claimed.has_match then 'ambiguous'
            when claimed.candidate_sku is null then 'unmatched'
            when claimed.own_order = claimed.best_order and claimed.claim_count = 1 then claimed.candidate_rule
            else 'ambiguous'
        end as match_rule,
        -- Nobody knows how many of the product this system has: what it counts is of one item or the other.
        case
            when claimed.own_order = claimed.best_order and claimed.claim_count > 1 then claimed.candidate_sku
        end as contested_sku,
        -- What is no article needs no product: the tenant's list says so, or the system that keeps it does.
        coalesce(
            (
                select min(non_stock_codes.classification)
                from non_stock_codes
                where claimed.code_key ~* non_stock_codes.pattern
            ),
            case when claimed.is_bundle then 'bundle' when not claimed.is_stocked then 'not_stocked' end
        ) as classification,
        claimed.location_scope,
        claimed.is_active,
        claimed.record_id,
        claimed.received_at,
        claimed.correlation_id,
        {{ build.build_id }}::bigint as build_id
    from claimed
)

select * from final
