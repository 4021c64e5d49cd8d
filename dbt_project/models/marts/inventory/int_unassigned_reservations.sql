{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with reservations as not materialized (
    select * from {{ ref("reservations") }}
    where status = 'open' and location_id is null
),

channels as not materialized (
    select * from {{ source("governance", "channels") }}
),

channel_locations as not materialized (
    select * from {{ source("governance", "channel_locations") }}
),

-- An order that nobody routed yet may take from any place that serves its channel, the ERP's own from any at all.
final as (
    select
        reservations.sku,
        channels.channel,
        sum(reservations.quantity) as quantity,
        max(reservations.received_at) as received_at,
        (
            array_agg(
                reservations.correlation_id order by reservations.received_at desc, reservations.reservation_id desc
            )
        )[1] as correlation_id
    from reservations
    cross join channels
    where
        reservations.channel is null
        or reservations.channel = channels.channel
        or exists (
            select 1
            from channel_locations as theirs
            inner join channel_locations as ours on theirs.location_id = ours.location_id
            where theirs.channel = reservations.channel and ours.channel = channels.channel
        )
    group by reservations.sku, channels.channel
)

select * from final
