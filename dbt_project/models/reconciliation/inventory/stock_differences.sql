{{ config(
    materialized="incremental",
    unique_key=["subject_key", "target_system"],
    indexes=[
        {"columns": ["subject_key", "target_system"], "unique": true},
        {"columns": ["target_system", "record_ref"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "recomputed_by": {"kind": "difference", "key": "row.subject_key"},
        "evidence": ["int_owned_order_lines"],
        "reached": [
            {"from": "build", "to": "difference", "through": "this", "key": "row.subject_key"},
            {"from": "sku", "to": "difference"},
            {"from": "stock_item", "to": "difference", "through": "sku_aliases",
             "at": ["row.system_id", "row.source_stock_item_id"], "key": "row.sku", "beside": "governance.channels",
             "on": "row.system_id = beside.system_id"},
            {"because": "What is listed at a place that was switched off, or on again",
             "from": "location", "to": "difference", "through": "governance.channels",
             "at": ["row.system_id", "row.listing_location_id"], "beside": "sku_aliases",
             "on": "row.system_id = beside.system_id", "key": "beside.sku"},
        ],
    },
) }}

-- depends_on: {{ ref("sku_aliases") }}
{%- set build = build_state() %}

with differences as (
    select
        causes.*,
        -- A listing that was seen anew, and a channel that refused the last decision, call for a new decision even
        -- where the numbers are the same again.
        causes.facts_version || '.' || causes.listing_record_id || coalesce('.' || causes.conflicted_change_id, '')
            as difference_version
    from {{ part_of(ref("int_stock_causes"), "difference", "sku") }} as causes
),

-- What this table holds so far.
open_difference as (
    {{ held_so_far({
        "subject_key": "text", "target_system": "text", "detected_at": "timestamptz",
        "age_source_seconds": "double precision", "age_landing_seconds": "double precision",
        "age_build_seconds": "double precision", "facts_version": "text",
    }) }}
),

final as (
    select
        differences.sku as subject_key,
        'stock'::text as entity,
        differences.channel as target_system,
        differences.channel_record_id as record_ref,
        differences.shows as field,
        to_jsonb(differences.shown_quantity) as shown,
        to_jsonb(differences.target_quantity) as desired,
        differences.cause,
        jsonb_strip_nulls(
            jsonb_build_object(
                'correction_id', differences.change_id,
                'correction_status', differences.status,
                'receipt_outcome', differences.receipt_outcome,
                'receipt_attempted_at', differences.receipt_attempted_at,
                'hold_id', differences.hold_id,
                'gate_rule_id', differences.gate_rule_id,
                'is_written', differences.is_written,
                'written_correction_id', differences.written_change_id,
                'written_quantity', differences.written_target,
                'written_at', differences.written_at,
                'written_facts_received_at', differences.written_facts_received_at,
                'declared_at', case when differences.cause = 'rules_changed' then differences.declared_at end,
                'previous_available_quantity', differences.previous_available_quantity,
                'previous_observed_at', differences.previous_observed_at,
                'ordered_since_quantity', case when differences.is_edited then differences.ordered_quantity end,
                'returned_since_quantity', case when differences.is_edited then differences.returned_quantity end,
                'facts_as_of', differences.facts_as_of,
                'newest_received_at', differences.newest_received_at,
                'listing_received_at', differences.listing_received_at
            )
        ) as evidence,
        coalesce(open_difference.detected_at, now()) as detected_at,
        differences.observed_at,
        -- How long it took to get here is settled when it is seen first.
        {%- for age in ["age_source_seconds", "age_landing_seconds", "age_build_seconds"] %}
        case
            when open_difference.facts_version = differences.difference_version then open_difference.{{ age }}
            else differences.{{ age }}
        end as {{ age }},
        {%- endfor %}
        case
            when differences.status in ('proposed', 'held', 'claimed', 'sent', 'applied')
                -- Not now(): a change may be proposed after this transaction began and before it looked.
                then extract(epoch from clock_timestamp() - differences.proposed_at)::double precision
        end as age_queue_seconds,
        differences.difference_version as facts_version,
        differences.correlation_id,
        {{ build.build_id }}::bigint as build_id,
        differences.shown_quantity,
        differences.target_quantity,
        differences.shown_quantity - differences.target_quantity as difference_quantity,
        differences.newest_received_at,
        differences.listing_received_at,
        differences.facts_as_of
    from differences
    left join open_difference
        on
            differences.sku = open_difference.subject_key
            and differences.channel = open_difference.target_system
)

select * from final
