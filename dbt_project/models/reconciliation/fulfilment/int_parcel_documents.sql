{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with matches as not materialized (
    select * from {{ ref("int_parcel_matches") }}
),

parcel_lines as not materialized (
    select * from {{ ref("parcel_lines") }}
),

order_lines as not materialized (
    select * from {{ ref("int_order_line_units") }}
    where sku is not null
),

-- Units of each product of each parcel that the channel has no word of, one behind the other.
wanted as (
    select
        unconfirmed.order_name,
        unconfirmed.order_id,
        unconfirmed.parcel_id,
        unit.sku,
        unit.quantity,
        sum(unit.quantity) over (
            partition by unconfirmed.order_name, unconfirmed.order_id, unit.sku
            order by unconfirmed.shipped_at, unconfirmed.parcel_id
        ) - unit.quantity as quantity_before
    from matches as unconfirmed
    cross join
        lateral (
            select
                content.key as sku,
                content.value::numeric as quantity
            from jsonb_each_text(unconfirmed.units) as content (key, value)
        ) as unit
    where unconfirmed.reported_as = 'shipped' and unconfirmed.matched_by is null
),

confirmed as (
    select
        order_name,
        order_line_id,
        sum(quantity) as quantity
    from parcel_lines
    where reported_as = 'confirmed' and status not in ('cancelled', 'waiting') and order_line_id is not null
    group by order_name, order_line_id
),

-- What each line of the order still has to be told of, one behind the other in the same way.
open_lines as (
    select
        order_lines.order_name,
        order_lines.order_id,
        order_lines.source_line_id,
        order_lines.sku,
        -- Units of one product are alike: of which of its lines a location is to send, only the channel knows.
        array_remove(
            array_agg(order_lines.source_line_id) over (
                partition by order_lines.order_name, order_lines.order_id, order_lines.sku
                order by order_lines.source_line_id
                rows between unbounded preceding and unbounded following
            ),
            order_lines.source_line_id
        ) as alike_line_ids,
        room.quantity,
        sum(room.quantity) over (
            partition by order_lines.order_name, order_lines.order_id, order_lines.sku
            order by order_lines.source_line_id
        ) - room.quantity as quantity_before
    from order_lines
    left join confirmed
        on order_lines.order_name = confirmed.order_name and order_lines.order_line_id = confirmed.order_line_id
    cross join
        lateral (
            select
                greatest(
                    0,
                    case when order_lines.is_cancelled then 0 else order_lines.committed_quantity end
                    - coalesce(confirmed.quantity, 0)
                ) as quantity
        ) as room
),

-- By the line's id, never by the product alone: two lines may be of one product.
placed as (
    select
        wanted.order_name,
        wanted.parcel_id,
        open_lines.source_line_id,
        open_lines.alike_line_ids,
        least(wanted.quantity_before + wanted.quantity, open_lines.quantity_before + open_lines.quantity)
        - greatest(wanted.quantity_before, open_lines.quantity_before) as quantity
    from wanted
    inner join open_lines
        on
            wanted.order_name = open_lines.order_name
            and wanted.order_id = open_lines.order_id
            and wanted.sku = open_lines.sku
            and wanted.quantity_before < open_lines.quantity_before + open_lines.quantity
            and open_lines.quantity_before < wanted.quantity_before + wanted.quantity
),

lines as (
    select
        order_name,
        parcel_id,
        sum(quantity) as quantity,
        jsonb_agg(
            jsonb_build_object('line_ref', source_line_id, 'quantity', trim_scale(quantity))
            || case
                when cardinality(alike_line_ids) > 0 then jsonb_build_object('or_line_refs', to_jsonb(alike_line_ids))
                else '{}'
            end
            order by source_line_id
        ) as content
    from placed
    where quantity > 0
    group by order_name, parcel_id
),

final as (
    select
        matches.order_name,
        matches.order_id,
        matches.parcel_id,
        matches.channel,
        coalesce(lines.quantity, 0) as placed_quantity,
        jsonb_build_object(
            'order_ref', matches.source_order_id,
            'location_ref', matches.channel_location_id,
            'lines', coalesce(lines.content, '[]'),
            'carrier', matches.carrier,
            'tracking_numbers', to_jsonb(matches.tracking_numbers),
            'tracking_urls', to_jsonb(coalesce(matches.tracking_urls, '{}')),
            'shipped_at', to_char(matches.shipped_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
            'notify_customer', channels.notifies_customers
        ) as document
    from matches
    inner join {{ source("governance", "fulfilment_channels") }} as channels on matches.channel = channels.channel
    left join lines on matches.order_name = lines.order_name and matches.parcel_id = lines.parcel_id
    where matches.reported_as = 'shipped' and matches.matched_by is null
)

select * from final
