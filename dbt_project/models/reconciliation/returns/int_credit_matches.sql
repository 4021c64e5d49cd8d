{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with handling as not materialized (
    select * from {{ source("governance", "return_handling") }}
),

refunded as not materialized (
    select * from {{ ref("int_refunds_to_credit") }}
),

given as not materialized (
    select
        credits.credit_id,
        credits.order_id,
        credits.order_name,
        credits.refund_id,
        credits.currency,
        credits.credited_amount,
        credits.credited_at
    from {{ ref("credits") }} as credits
    inner join handling
        on credits.owner_system_id = handling.system_id and credits.source_system_id = handling.credited_in
),

-- A credit that names its refund is of that one. Of the others the first of an amount is of the first refund of that
-- amount; what is left goes together in the order in which it happened.
named as not materialized (
    select
        given.credit_id,
        refunded.refund_id,
        refunded.order_name
    from given
    inner join refunded on given.order_name = refunded.order_name and given.refund_id = refunded.refund_id
),

free_credits as not materialized (
    select
        given.credit_id,
        given.order_id,
        given.order_name,
        given.currency,
        given.credited_amount,
        given.credited_at,
        row_number() over (
            partition by given.order_name, given.order_id, given.currency, given.credited_amount
            order by given.credited_at, given.credit_id
        ) as twin_number
    from given
    where not exists (
        select 1 from named
        where named.credit_id = given.credit_id
    )
),

free_refunds as not materialized (
    select
        refunded.refund_id,
        refunded.order_id,
        refunded.order_name,
        refunded.currency,
        refunded.refund_amount,
        refunded.refunded_at,
        row_number() over (
            partition by refunded.order_name, refunded.order_id, refunded.currency, refunded.refund_amount
            order by refunded.refunded_at, refunded.refund_id
        ) as twin_number
    from refunded
    where
        refunded.refund_status = 'done'
        and refunded.refund_amount > 0
        and not coalesce(refunded.is_netted, false)
        and not exists (
            select 1 from named
            where named.refund_id = refunded.refund_id
        )
),

alike as not materialized (
    select
        free_credits.credit_id,
        free_refunds.refund_id,
        free_refunds.order_name
    from free_credits
    inner join free_refunds
        on
            free_credits.order_name = free_refunds.order_name
            and free_credits.order_id = free_refunds.order_id
            and free_credits.currency = free_refunds.currency
            and free_credits.credited_amount = free_refunds.refund_amount
            and free_credits.twin_number = free_refunds.twin_number
),

left_credits as not materialized (
    select
        free_credits.credit_id,
        free_credits.order_id,
        free_credits.order_name,
        free_credits.credited_amount,
        row_number() over (
            partition by free_credits.order_name, free_credits.order_id
            order by free_credits.credited_at, free_credits.credit_id
        ) as place
    from free_credits
    where not exists (
        select 1 from alike
        where alike.credit_id = free_credits.credit_id
    )
),

left_refunds as not materialized (
    select
        free_refunds.refund_id,
        free_refunds.order_id,
        free_refunds.order_name,
        row_number() over (
            partition by free_refunds.order_name, free_refunds.order_id
            order by free_refunds.refunded_at, free_refunds.refund_id
        ) as place
    from free_refunds
    where not exists (
        select 1 from alike
        where alike.refund_id = free_refunds.refund_id
    )
),

-- A credit beyond the refunds is a second one of the refund of its amount, else of the newest.
unequal as (
    select
        left_credits.credit_id,
        coalesce(left_refunds.refund_id, doubled.refund_id) as refund_id,
        left_credits.order_name
    from left_credits
    left join left_refunds
        on
            left_credits.order_name = left_refunds.order_name
            and left_credits.order_id = left_refunds.order_id
            and left_credits.place = left_refunds.place
    left join lateral (
        select refunded.refund_id
        from refunded
        where refunded.order_name = left_credits.order_name and refunded.order_id = left_credits.order_id
        order by
            (refunded.refund_amount = left_credits.credited_amount) desc nulls last,
            refunded.refunded_at desc,
            refunded.refund_id asc
        limit 1
    ) as doubled on true
),

final as (
    select * from named
    union all
    select * from alike
    union all
    select * from unequal
    where refund_id is not null
)

select * from final
