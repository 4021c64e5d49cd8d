{{ config(materialized="view", schema="staging", contract={"enforced": false}) }}

with refunded as not materialized (
    select
        refund_id,
        order_id,
        order_name,
        source_refund_id,
        owner_system_id,
        credited_in,
        refund_status,
        currency,
        refund_amount,
        refunded_at,
        received_at,
        correlation_id,
        live_count,
        booked_currency,
        booked_as,
        is_cancelled,
        is_netted
    from {{ ref("int_refunds_to_credit") }}
),

matches as not materialized (
    select * from {{ ref("int_credit_matches") }}
),

credits as not materialized (
    select * from {{ ref("credits") }}
),

-- Each refund and all that the books have given for it.
final as (
    select
        refunded.*,
        given.credit_count,
        given.credited_amount,
        given.credited_currency,
        given.credit_names,
        given.credited_at,
        given.credit_received_at
    from refunded
    cross join lateral (
        select
            count(*) as credit_count,
            sum(credits.credited_amount) as credited_amount,
            min(credits.currency) as credited_currency,
            string_agg(credits.credit_name, ',' order by credits.credited_at, credits.credit_id) as credit_names,
            min(credits.credited_at) as credited_at,
            max(credits.received_at) as credit_received_at
        from matches
        inner join credits on matches.credit_id = credits.credit_id and matches.order_name = credits.order_name
        where matches.refund_id = refunded.refund_id and matches.order_name = refunded.order_name
    ) as given
)

select * from final
