{{ config(
    materialized="incremental",
    unique_key=["subject_key", "target_system"],
    indexes=[
        {"columns": ["subject_key", "target_system"], "unique": true},
        {"columns": ["order_name"]},
        {"columns": ["target_system", "record_ref"]},
        {"columns": ["build_id"]},
    ],
    schema="staging",
    contract={"enforced": false},
    meta={
        "recomputed_by": {"kind": "order_name", "key": "row.order_name"},
        "touches": {"order_name": "row.order_name"},
        "evidence": ["int_owned_order_lines"],
        "reached": [
            {"because": "What the channel was told, and what a shipment says of the order that it was made from",
             "from": "order_record", "to": "order_name", "through": "order_links",
             "at": ["row.system_id", "row.source_order_id"], "key": "row.order_name"},
            {"because": "What became of our own change of it, and whether it is late by now",
             "from": "build", "to": "order_name", "through": "this", "key": "row.order_name"},
        ],
    },
) }}

-- What a movement says of an order, and of an item that is another product now, reaches it by order_line_fulfilments.
-- depends_on: {{ ref("order_links") }}
{%- set build = build_state() %}

with causes as (
    select * from {{ part_of(ref("int_fulfilment_causes"), "order_name", "order_name") }} as causes
),

-- What this table holds so far.
open_difference as (
    {{ held_so_far({
        "subject_key": "text", "target_system": "text", "difference_class": "text", "detected_at": "timestamptz",
        "age_build_seconds": "double precision", "facts_version": "text",
    }) }}
),

final as (
    select
        causes.subject_key,
        'fulfilment'::text as entity,
        causes.channel as target_system,
        causes.subject_key as record_ref,
        causes.field,
        case causes.field
            when 'tracking' then to_jsonb(causes.confirmed_numbers)
            when 'units' then to_jsonb(0)
            -- A confirmation of which nothing is known to have left tells of its own units.
            else
                to_jsonb(
                    coalesce(
                        causes.confirmed_quantity,
                        case when causes.difference_class = 'told_not_shipped' then causes.quantity else 0 end
                    )
                )
        end as shown,
        case
            when causes.field = 'tracking' then to_jsonb(causes.tracking_numbers)
            when causes.difference_class = 'told_not_shipped' and causes.confirmed_as is null then to_jsonb(0)
            else to_jsonb(causes.quantity)
        end as desired,
        causes.cause,
        jsonb_strip_nulls(
            jsonb_build_object(
                'class', causes.difference_class,
                'hop', causes.hop,
                'waits_for', causes.waits_for,
                'problem', causes.problem,
                'location', causes.location_id,
                'reported_by', causes.source_system_id,
                'units', causes.units,
                'tracking_numbers', nullif(to_jsonb(causes.tracking_numbers), '[]'),
                'confirmed_as', causes.confirmed_as,
                'confirmed_at', causes.confirmed_at,
                'correction_id', causes.change_id,
                'correction_status', causes.status,
                'receipt_outcome', causes.receipt_outcome,
                'written_correction_id', causes.written_change_id
            )
        ) as evidence,
        case
            when open_difference.difference_class = causes.difference_class then open_difference.detected_at
            when causes.difference_class = 'stuck' then causes.due_at
            else now()
        end as detected_at,
        causes.received_at as observed_at,
        greatest(0, extract(epoch from causes.received_at - causes.happened_at))::double precision
            as age_source_seconds,
        {{ ages_of_difference("causes", "open_difference") }},
        causes.difference_version as facts_version,
        causes.correlation_id,
        {{ build.build_id }}::bigint as build_id,
        causes.order_id,
        causes.order_name,
        causes.owner_system_id,
        causes.source_system_id,
        causes.location_id,
        causes.difference_class,
        causes.hop,
        causes.waits_for,
        causes.due_at,
        -- What is on its way is no difference before its time is over.
        causes.difference_class <> 'stuck' or causes.due_at <= now() as is_late,
        causes.quantity,
        causes.newest_received_at
    from causes
    left join open_difference
        on causes.subject_key = open_difference.subject_key and causes.channel = open_difference.target_system
)

select * from final
