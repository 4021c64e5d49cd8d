{{ config(
    unique_key=["system_id", "source_key", "source_location_id"],
    replaces=["system_id", "source_key"],
    touches={
        "stock_item": "row.system_id || '|' || row.source_item_id",
        "order_name": "row.source_reference",
        "order_id": "row.system_id || '|' || row.source_order_id",
    },
    indexes=[
        {"columns": ["system_id", "source_key", "source_location_id"], "unique": true},
        {"columns": ["system_id", "source_item_id", "source_location_id", "occurred_at"]},
        {"columns": ["source_reference"]},
        {"columns": ["system_id", "source_order_id"]},
        {"columns": ["build_id"]},
    ],
) }}

{%- set build = build_state() %}
{%- set staging_models = staging_models_of("stock_movements") %}
{%- set scopes = scopes_of(staging_models) %}

with fresh as (
    {%- for model in staging_models %}
    select
        system_id,
        source_key,
        source_location_id,
        record_id,
        occurred_at,
        received_at,
        correlation_id,
        payload_hash,
        source_item_id,
        kind,
        delta_quantity,
        counted_quantity,
        sequence,
        source_reference,
        source_order_id
    from {{ ref(model.name) }}
    where {{ in_scope(scopes, build.is_full or not is_incremental()) }}
    {{ "union all" if not loop.last }}
    {%- endfor %}
),

-- An event is immutable; should one id ever tell two stories, the same one is believed whatever came first.
final as (
    select distinct on (system_id, source_key, source_location_id)
        system_id,
        source_key,
        source_location_id,
        record_id,
        occurred_at,
        received_at,
        correlation_id,
        source_item_id,
        kind,
        delta_quantity,
        counted_quantity,
        sequence,
        source_reference,
        source_order_id,
        {{ build.build_id }}::bigint as build_id
    from fresh
    order by
        system_id asc,
        source_key asc,
        source_location_id asc,
        occurred_at asc,
        payload_hash asc,
        record_id asc
)

select * from final
