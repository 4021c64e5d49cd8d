{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

{%- set terms = {
    "safety_stock": "safety_stock_quantity", "buffer": "buffer_quantity", "share": "share", "cap": "cap_quantity",
} %}

with products as not materialized (
    select * from {{ ref("products") }}
),

channels as not materialized (
    select * from {{ source("governance", "channels") }}
),

channel_rules as not materialized (
    select * from {{ source("governance", "channel_rules") }}
),

-- Within one channel the rule declared first wins among equals.
ordered_rules as (
    select
        channel_rules.rule_id,
        channel_rules.channel,
        channel_rules.category,
        -- As the product spells it.
        (
            select min(ruled_products.sku)
            from {{ ref("products") }} as ruled_products
            where governance.code_key(ruled_products.sku) = governance.code_key(channel_rules.sku)
        ) as sku,
        channel_rules.sku is not null as is_of_sku,
        channel_rules.safety_stock_quantity,
        channel_rules.buffer_quantity,
        channel_rules.share,
        channel_rules.cap_quantity,
        case
            when channel_rules.rule_id ~ '\.[0-9]+$' then substring(channel_rules.rule_id from '[0-9]+$')::integer
            else 0
        end as position
    from channel_rules
),

-- Fenced by being materialized: they are the same for every product.
scoped_rules as materialized (
    select
        {%- for term, column in terms.items() %}
        (array_agg({{ column }} order by position asc) filter (where {{ column }} is not null))[1] as {{ column }},
        (array_agg(rule_id order by position asc) filter (where {{ column }} is not null))[1] as {{ term }}_rule_id,
        {%- endfor %}
        channel,
        category,
        sku
    from ordered_rules
    where sku is not null or not is_of_sku
    group by channel, category, sku
),

channel_terms as materialized (
    select
        {%- for term, column in terms.items() %}
        coalesce(of_channel.{{ column }}, of_all.{{ column }}) as {{ column }},
        coalesce(of_channel.{{ term }}_rule_id, of_all.{{ term }}_rule_id) as {{ term }}_rule_id,
        {%- endfor %}
        channels.channel,
        channels.shows
    from channels
    left join scoped_rules as of_channel
        on channels.channel = of_channel.channel and of_channel.category is null and of_channel.sku is null
    left join scoped_rules as of_all
        on of_all.channel is null and of_all.category is null and of_all.sku is null
),

final as (
    select
        {%- for term, column in terms.items() %}
        coalesce(of_sku.{{ column }}, of_category.{{ column }}, channel_terms.{{ column }}) as {{ column }},
        coalesce(of_sku.{{ term }}_rule_id, of_category.{{ term }}_rule_id, channel_terms.{{ term }}_rule_id)
            as {{ term }}_rule_id,
        {%- endfor %}
        products.sku,
        products.category,
        products.is_active,
        products.source_system_id as product_system_id,
        channel_terms.channel,
        channel_terms.shows
    from products
    cross join channel_terms
    left join scoped_rules as of_sku on channel_terms.channel = of_sku.channel and products.sku = of_sku.sku
    left join scoped_rules as of_category
        on channel_terms.channel = of_category.channel and products.category = of_category.category
)

select * from final
