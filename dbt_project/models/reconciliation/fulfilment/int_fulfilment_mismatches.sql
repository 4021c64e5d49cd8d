{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with matches as not materialized (
    select * from {{ ref("int_parcel_matches") }}
),

documents as not materialized (
    select * from {{ ref("int_parcel_documents") }}
),

channels as not materialized (
    select * from {{ source("governance", "fulfilment_channels") }}
),

-- What is wrong with a parcel, the gravest first: what the customer was not told, or told without cause.
parcels_classified as (
    select
        matches.*,
        documents.placed_quantity,
        channels.confirmed_by,
        channels.grace_minutes,
        channels.waits_for_tracking,
        channels.recording_minutes,
        channels.delivering_minutes,
        case
            when matches.reported_as = 'confirmed' then case when not matches.is_of_a_parcel then 'told_not_shipped' end
            when matches.matched_by is null then 'shipped_not_told'
            when matches.has_other_units
                then
                    case
                        when matches.confirmed_quantity < matches.quantity then 'shipped_not_told'
                        else 'told_not_shipped'
                    end
            when matches.status = 'returning' then 'undelivered_and_back'
            when not matches.tracking_numbers <@ matches.confirmed_numbers then 'tracking_differs'
            when matches.status = 'in_transit' then 'stuck'
        end as difference_class
    from matches
    inner join channels on matches.channel = channels.channel
    left join documents on matches.order_name = documents.order_name and matches.parcel_id = documents.parcel_id
),

of_parcels as (
    select
        parcel_id as subject_key,
        order_id,
        order_name,
        owner_system_id,
        channel,
        channel_system_id,
        difference_class,
        case when difference_class = 'tracking_differs' then 'tracking' else 'document' end as field,
        case when difference_class = 'stuck' then 'delivering' end as hop,
        case
            when difference_class <> 'shipped_not_told' then null
            when not is_landed then 'the channel''s order'
            when has_other_units then 'a person: the channel has this parcel with other units'
            when unknown_line_count > 0 then 'an unknown SKU'
            when waits_for_tracking and cardinality(tracking_numbers) = 0 then 'a tracking number'
            when placed_quantity < quantity then 'units that are open in the channel'
        end as waits_for,
        problem,
        case
            when difference_class = 'shipped_not_told' then shipped_at + make_interval(mins => grace_minutes)
            when difference_class = 'stuck' then shipped_at + make_interval(mins => delivering_minutes)
            when reported_as = 'confirmed' then created_at + make_interval(mins => recording_minutes)
            else coalesce(confirmed_at, shipped_at)
        end as due_at,
        units,
        quantity,
        tracking_numbers,
        confirmed_as,
        confirmed_quantity,
        confirmed_numbers,
        confirmed_at,
        system_id as source_system_id,
        location_id,
        coalesce(shipped_at, created_at) as happened_at,
        received_at,
        greatest(received_at, confirmation_received_at) as newest_received_at,
        correlation_id
    from parcels_classified
    where difference_class is not null
),

-- What is wrong with an order as a whole: more left than was ordered, or something has not left yet.
orders_measured as (
    select
        fulfilments.order_id,
        fulfilments.order_name,
        fulfilments.owner_system_id,
        sum(fulfilments.open_quantity) as open_quantity,
        sum(fulfilments.excess_quantity) as excess_quantity,
        jsonb_object_agg(fulfilments.sku, trim_scale(fulfilments.excess_quantity)) filter (
            where fulfilments.excess_quantity > 0
        ) as excess_units,
        min(fulfilments.ordered_at) as ordered_at,
        max(fulfilments.received_at) as received_at
    from {{ ref("order_line_fulfilments") }} as fulfilments
    group by fulfilments.order_id, fulfilments.order_name, fulfilments.owner_system_id
),

of_orders as (
    select
        measured.order_id as subject_key,
        measured.order_id,
        measured.order_name,
        measured.owner_system_id,
        orders.channel,
        channels.system_id as channel_system_id,
        case when measured.excess_quantity > 0 then 'shipped_twice' else 'stuck' end as difference_class,
        'units' as field,
        case when measured.excess_quantity = 0 then 'shipping' end as hop,
        null::text as waits_for,
        waiting.problem,
        measured.ordered_at
        + make_interval(mins => case when measured.excess_quantity > 0 then 0 else channels.shipping_minutes end)
            as due_at,
        measured.excess_units as units,
        case
            when measured.excess_quantity > 0 then measured.excess_quantity
            else measured.open_quantity
        end as quantity,
        null::text[] as tracking_numbers,
        null::text as confirmed_as,
        null::numeric as confirmed_quantity,
        null::text[] as confirmed_numbers,
        null::timestamptz as confirmed_at,
        waiting.system_id as source_system_id,
        waiting.location_id,
        measured.ordered_at as happened_at,
        measured.received_at,
        greatest(measured.received_at, waiting.received_at) as newest_received_at,
        orders.correlation_id
    from orders_measured as measured
    inner join {{ ref("orders") }} as orders
        on measured.order_name = orders.order_name and measured.order_id = orders.order_id
    inner join channels on orders.channel = channels.channel
    left join lateral (
        select
            min(parcels.problem) as problem,
            min(parcels.system_id) as system_id,
            min(parcels.location_id) as location_id,
            max(parcels.received_at) as received_at
        from {{ ref("parcels") }} as parcels
        where
            parcels.order_name = measured.order_name
            and parcels.order_id = measured.order_id
            and parcels.status in ('waiting', 'on_hold', 'exception')
    ) as waiting on true
    where (measured.excess_quantity > 0 or measured.open_quantity > 0) and not coalesce(orders.is_test, false)
),

final as (
    select * from of_parcels
    union all
    select * from of_orders
)

select * from final
