{{ config(
    materialized="incremental",
    unique_key=["subject_key", "target_system"],
    indexes=[
        {"columns": ["subject_key", "target_system"], "unique": true},
        {"columns": ["order_name"]},
        {"columns": ["target_system", "record_ref"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "recomputed_by": {"kind": "order_name", "key": "row.order_name"},
        "evidence": ["int_owned_order_lines"],
        "reached": [
            {"because": "What an order, a copy, a refund or a return of it comes to",
             "from": "order_record", "to": "order_name", "through": "order_links",
             "at": ["row.system_id", "row.source_order_id"], "key": "row.order_name"},
            {"because": "A return or a credit that names the order", "from": "named_order", "to": "order_name"},
            {"because": "What came back to a shelf, in the ids of its own system",
             "from": "order_id", "to": "order_name", "through": "order_links",
             "at": ["row.system_id", "row.source_order_id"], "key": "row.order_name"},
            {"because": "What came back to a shelf and names no order",
             "from": "stock_item", "to": "order_name", "through": "return_lines",
             "at": ["row.source_system_id", "row.source_item_id"], "key": "row.order_name"},
            {"because": "An item that is another product now",
             "from": "item_sku", "to": "order_name", "through": "return_lines",
             "at": ["row.source_system_id", "row.source_item_id"], "key": "row.order_name"},
            {"from": "shipped_item", "to": "order_name", "through": "restocks",
             "at": ["row.source_system_id", "row.source_item_id"], "key": "row.order_name"},
            {"because": "What became of our own change of it",
             "from": "build", "to": "order_name", "through": "this", "key": "row.order_name"},
        ],
    },
) }}

-- depends_on: {{ ref("order_links") }}
-- depends_on: {{ ref("return_lines") }}
-- depends_on: {{ ref("restocks") }}
{%- set build = build_state() %}

with causes as (
    select * from {{ part_of(ref("int_return_causes"), "order_name", "order_name") }} as causes
),

-- What this table holds so far.
open_difference as (
    {{ held_so_far({
        "subject_key": "text", "target_system": "text", "detected_at": "timestamptz",
        "age_build_seconds": "double precision", "facts_version": "text",
    }) }}
),

final as (
    select
        causes.subject_key,
        causes.entity,
        causes.target_system,
        causes.record_ref,
        causes.field,
        causes.shown,
        causes.desired,
        causes.cause,
        causes.details || jsonb_strip_nulls(
            jsonb_build_object(
                'class', causes.difference_class,
                'waits_for', coalesce(causes.waits_for, case when causes.due_at > now() then 'its time' end),
                'correction_id', causes.change_id,
                'correction_status', causes.status,
                'receipt_outcome', causes.receipt_outcome,
                'written_correction_id', causes.written_change_id
            )
        ) as evidence,
        coalesce(open_difference.detected_at, now()) as detected_at,
        causes.received_at as observed_at,
        greatest(
            0,
            extract(
                epoch from causes.received_at - coalesce(causes.refunded_at, causes.arrived_at, causes.announced_at)
            )
        )::double precision as age_source_seconds,
        {{ ages_of_difference("causes", "open_difference") }},
        causes.difference_version as facts_version,
        causes.correlation_id,
        {{ build.build_id }}::bigint as build_id,
        causes.order_id,
        causes.order_name,
        causes.owner_system_id,
        causes.refund_id,
        causes.sku,
        causes.difference_class,
        causes.waits_for,
        causes.due_at,
        causes.currency,
        causes.first_quantity,
        causes.unit_quantity,
        causes.received_by,
        causes.announced_at,
        causes.arrived_at,
        causes.refunded_at,
        causes.credited_at,
        causes.newest_received_at
    from causes
    left join open_difference
        on
            causes.subject_key = open_difference.subject_key
            and causes.target_system = open_difference.target_system
)

select * from final
