{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

{%- set separator = "chr(31)" %}

with parcels as not materialized (
    select
        parcel_id,
        reported_as,
        order_id,
        owner_system_id,
        order_name,
        system_id,
        source_parcel_id,
        source_location_id,
        location_id,
        status,
        problem,
        quantity,
        units,
        unknown_line_count,
        created_at,
        shipped_at,
        delivered_at,
        carrier,
        tracking_numbers,
        tracking_urls,
        received_at,
        record_id,
        correlation_id,
        build_id
    from {{ ref("parcels") }}
    -- A parcel that a channel only plans is no word of it: the customer has not been told.
    where status <> 'cancelled' and not (reported_as = 'confirmed' and status = 'waiting')
),

-- Parcels of orders whose channel is told of them: what left a location, and what the channel was told.
concerned as (
    select
        parcels.*,
        orders.channel,
        orders.source_order_id,
        orders.is_landed,
        channels.system_id as channel_system_id,
        coalesce(locations.source_location_id, parcels.source_location_id) as channel_location_id
    from parcels
    inner join {{ ref("orders") }} as orders
        on parcels.order_name = orders.order_name and parcels.order_id = orders.order_id
    inner join {{ source("governance", "fulfilment_channels") }} as channels on orders.channel = channels.channel
    left join {{ source("governance", "fulfilment_locations") }} as locations
        on orders.channel = locations.channel and parcels.location_id = locations.location_id
    where
        parcels.reported_as = 'shipped' and parcels.shipped_at is not null and locations.channel is not null
        -- What has no product, such as a gift card, leaves no location.
        or parcels.reported_as = 'confirmed' and parcels.units <> '{}'
),

-- Which parcel a confirmation is of, the tracking numbers say: they are the carrier's own.
by_number as (
    select
        shipped.order_name,
        shipped.order_id,
        shipped.parcel_id,
        confirmed.parcel_id as confirmation_id,
        'number' as matched_by
    from concerned as shipped
    inner join concerned as confirmed
        on
            shipped.order_name = confirmed.order_name
            and shipped.order_id = confirmed.order_id
            and shipped.tracking_numbers && confirmed.tracking_numbers
    where shipped.reported_as = 'shipped' and confirmed.reported_as = 'confirmed'
),

-- What shares no number is known by what is in it. Of a channel whose parcels name no location it may be of any.
unnumbered as (
    select
        concerned.*,
        case
            when
                bool_or(concerned.reported_as = 'confirmed' and concerned.channel_location_id is null)
                    over (partition by concerned.order_name, concerned.order_id)
                then ''
            else concerned.channel_location_id
        end as compared_location_id
    from concerned
    where
        not exists (
            select 1
            from by_number
            where
                by_number.order_name = concerned.order_name
                and concerned.parcel_id in (by_number.parcel_id, by_number.confirmation_id)
        )
),

-- Equal parcels of one location are taken in the order of time.
in_turn as (
    select
        unnumbered.*,
        row_number() over (
            partition by
                unnumbered.order_name,
                unnumbered.order_id,
                unnumbered.reported_as,
                unnumbered.compared_location_id,
                unnumbered.units
            order by unnumbered.created_at, unnumbered.parcel_id
        ) as turn
    from unnumbered
),

pairs as (
    select * from by_number
    union all
    select
        shipped.order_name,
        shipped.order_id,
        shipped.parcel_id,
        confirmed.parcel_id as confirmation_id,
        'content' as matched_by
    from in_turn as shipped
    inner join in_turn as confirmed
        on
            shipped.order_name = confirmed.order_name
            and shipped.order_id = confirmed.order_id
            and shipped.compared_location_id = confirmed.compared_location_id
            and shipped.units = confirmed.units
            and shipped.turn = confirmed.turn
    where shipped.reported_as = 'shipped' and confirmed.reported_as = 'confirmed'
),

-- One confirmation may be of several parcels, and one parcel may be confirmed in several.
weighed as (
    select
        pairs.*,
        shipped.quantity as parcel_quantity,
        confirmed.quantity as confirmed_quantity,
        confirmed.source_parcel_id,
        confirmed.tracking_numbers,
        confirmed.created_at,
        confirmed.received_at,
        sum(shipped.quantity) over (partition by pairs.order_name, pairs.confirmation_id) as quantity_together,
        count(*) over (partition by pairs.order_name, pairs.confirmation_id) as parcels_together
    from pairs
    inner join concerned as shipped
        on pairs.order_name = shipped.order_name and pairs.parcel_id = shipped.parcel_id
    inner join concerned as confirmed
        on pairs.order_name = confirmed.order_name and pairs.confirmation_id = confirmed.parcel_id
),

confirmations as (
    select
        order_name,
        parcel_id,
        min(matched_by) as matched_by,
        string_agg(source_parcel_id, ',' order by source_parcel_id) as confirmed_as,
        sum(confirmed_quantity) as confirmed_quantity,
        case
            when max(parcels_together) = 1 then min(parcel_quantity) <> sum(confirmed_quantity)
            else bool_or(confirmed_quantity <> quantity_together)
        end as has_other_units,
        coalesce(
            string_to_array(
                string_agg(nullif(array_to_string(tracking_numbers, {{ separator }}), ''), {{ separator }}),
                {{ separator }}
            ),
            '{}'
        ) as confirmed_numbers,
        min(created_at) as confirmed_at,
        max(received_at) as confirmation_received_at
    from weighed
    group by order_name, parcel_id
),

final as (
    select
        concerned.*,
        confirmations.matched_by,
        confirmations.confirmed_as,
        confirmations.confirmed_quantity,
        confirmations.has_other_units,
        confirmations.confirmed_numbers,
        confirmations.confirmed_at,
        confirmations.confirmation_received_at,
        concerned.reported_as = 'confirmed' and exists (
            select 1
            from pairs
            where pairs.order_name = concerned.order_name and pairs.confirmation_id = concerned.parcel_id
        ) as is_of_a_parcel
    from concerned
    left join confirmations
        on concerned.order_name = confirmations.order_name and concerned.parcel_id = confirmations.parcel_id
)

select * from final
