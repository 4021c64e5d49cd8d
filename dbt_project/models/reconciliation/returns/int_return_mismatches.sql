{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with legs as not materialized (
    select
        order_id,
        order_name,
        owner_system_id,
        channel,
        is_paid_in_its_currency,
        sku,
        financial_status,
        refunded_by,
        refund_grace_minutes,
        received_within_days,
        restocked_within_hours,
        ordered_quantity,
        is_priced,
        announced_quantity,
        reported_quantity,
        received_quantity,
        to_restock_quantity,
        restocked_quantity,
        exchanged_quantity,
        refunded_quantity,
        said_returned_quantity,
        announced_at,
        arrived_at,
        refunded_at,
        received_by,
        received_at,
        correlation_id
    from {{ ref("int_return_legs") }}
),

-- What stands wrong of a product that came back, the gravest first; one thing each, for the others follow from it.
classified as (
    select
        legs.*,
        case
            when legs.restocked_quantity > legs.ordered_quantity then 'restocked_twice'
            when
                greatest(legs.announced_quantity, legs.reported_quantity) > 0
                and legs.restocked_quantity
                > greatest(legs.announced_quantity, legs.reported_quantity, legs.refunded_quantity)
                then 'restocked_twice'
            when legs.received_quantity > legs.refunded_quantity and legs.is_priced then 'received_not_refunded'
            when legs.to_restock_quantity > legs.restocked_quantity then 'never_restocked'
            -- Refunded without a word of goods to come back, the customer keeps them.
            when
                least(legs.refunded_quantity, greatest(legs.announced_quantity, legs.said_returned_quantity))
                > legs.received_quantity
                then 'refunded_not_received'
        end as difference_class
    from legs
),

final as (
    select
        classified.*,
        case
            when classified.difference_class in ('restocked_twice', 'never_restocked') then 'restock'
            when classified.difference_class = 'refunded_not_received' then 'goods'
            else 'document'
        end as field,
        case
            when classified.difference_class <> 'received_not_refunded' then null
            when classified.exchanged_quantity > 0 then 'what the customer gets instead'
            when classified.financial_status in ('unpaid', 'authorized', 'voided') then 'payment'
            when not classified.is_paid_in_its_currency then 'a person, for the customer paid in another currency'
        end as waits_for,
        case classified.difference_class
            when 'received_not_refunded'
                then classified.arrived_at + make_interval(mins => classified.refund_grace_minutes)
            when 'refunded_not_received'
                then classified.refunded_at + make_interval(days => classified.received_within_days)
            when 'never_restocked'
                then classified.arrived_at + make_interval(hours => classified.restocked_within_hours)
            else classified.arrived_at
        end as due_at,
        case classified.difference_class
            when 'received_not_refunded' then classified.refunded_quantity
            when 'refunded_not_received' then classified.received_quantity
            else classified.restocked_quantity
        end as shown_quantity,
        case classified.difference_class
            when 'received_not_refunded' then classified.received_quantity
            when 'refunded_not_received'
                then
                    least(
                        classified.refunded_quantity,
                        greatest(classified.announced_quantity, classified.said_returned_quantity)
                    )
            when 'never_restocked' then classified.to_restock_quantity
            when 'restocked_twice'
                then
                    least(
                        classified.ordered_quantity,
                        coalesce(
                            nullif(
                                greatest(
                                    classified.announced_quantity,
                                    classified.reported_quantity,
                                    classified.refunded_quantity
                                ),
                                0
                            ),
                            classified.ordered_quantity
                        )
                    )
        end as desired_quantity
    from classified
    where classified.difference_class is not null
)

select * from final
