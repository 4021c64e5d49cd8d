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
            {"because": "What an order, a copy or a refund comes to",
             "from": "order_record", "to": "order_name", "through": "order_links",
             "at": ["row.system_id", "row.source_order_id"], "key": "row.order_name"},
            {"because": "A product of which the ERP has an item now, or none any more",
             "from": "sku", "to": "order_name", "through": "int_order_line_units", "at": "row.sku",
             "key": "row.order_name", "beside": "this",
             "on": "row.order_name = beside.order_name and beside.difference_class = 'missing'"},
            {"because": "What became of our own change of it",
             "from": "build", "to": "order_name", "through": "this", "key": "row.order_name",
             "beside": "outbox.changes",
             "on": "row.target_system = beside.target_system and row.record_ref = beside.record_ref"},
        ],
    },
) }}

-- depends_on: {{ ref("order_links") }}
-- depends_on: {{ ref("int_order_line_units") }}
{%- set build = build_state() %}

{%- set unequal = "select distinct order_name from " ~ ref("int_unequal_orders") %}

-- Order by order, for few are wrong: what is to be looked at again, or what one look at all orders does not find equal.
with causes as (
    {%- if is_part() %}
    select * from {{ part_of(ref("int_order_causes"), "order_name", "order_name") }} as causes
    {%- else %}
    select * from {{ looked_up(ref("int_order_causes"), "order_name", unequal) }} as causes
    {%- endif %}
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
        causes.order_id as subject_key,
        'order'::text as entity,
        causes.booked_in as target_system,
        causes.record_ref,
        causes.field,
        case causes.field
            when 'status' then to_jsonb(case when causes.live_count = 0 then 'cancelled' else 'open' end)
            when 'total' then jsonb_build_object('amount', causes.booked_amount, 'currency', causes.booked_currency)
            when 'lines' then jsonb_build_object(causes.different_sku, causes.booked_quantity)
            else to_jsonb(causes.live_count)
        end as shown,
        case causes.field
            when 'status'
                then
                    to_jsonb(
                        case
                            when not causes.is_cancelled then 'open'
                            when causes.shipped_quantity > 0 then 'closed'
                            else 'cancelled'
                        end
                    )
            when 'total' then jsonb_build_object('amount', causes.total_amount, 'currency', causes.currency)
            when 'lines' then jsonb_build_object(causes.different_sku, causes.own_quantity)
            else to_jsonb(case when causes.is_landed then 1 else 0 end)
        end as desired,
        causes.cause,
        jsonb_strip_nulls(
            jsonb_build_object(
                'class', causes.difference_class,
                'waits_for', causes.waits_for,
                'unknown_sku', causes.unknown_sku,
                'correction_id', causes.change_id,
                'correction_status', causes.status,
                'receipt_outcome', causes.receipt_outcome,
                'written_correction_id', causes.written_change_id,
                'booked_as', causes.source_order_ids,
                'booked_at', causes.copied_at,
                'refunded_amount', causes.refunded_amount,
                'original_total_amount', causes.original_total_amount
            )
        ) as evidence,
        coalesce(open_difference.detected_at, now()) as detected_at,
        causes.received_at as observed_at,
        greatest(0, extract(epoch from causes.received_at - causes.ordered_at))::double precision
            as age_source_seconds,
        {{ ages_of_difference("causes", "open_difference") }},
        causes.difference_version as facts_version,
        causes.correlation_id,
        {{ build.build_id }}::bigint as build_id,
        causes.order_name,
        causes.owner_system_id,
        causes.channel,
        causes.difference_class,
        causes.waits_for,
        causes.due_at,
        causes.currency,
        causes.total_amount,
        causes.booked_amount,
        greatest(causes.received_at, causes.copy_received_at) as newest_received_at
    from causes
    left join open_difference
        on
            causes.order_id = open_difference.subject_key
            and causes.booked_in = open_difference.target_system
)

select * from final
