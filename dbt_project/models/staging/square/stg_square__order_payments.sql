with records as (
    {{ raw_records("square", "orders") }}
),

-- Left join, so that a deleted order and one that nobody has paid still leave a row of their key.
final as (
    select
        {{ record_columns() }},
        version.tie_rank,

        ---------- ids
        coalesce(step.order_id, records.payload ->> 'id', '') as order_id,
        coalesce(step.content ->> 'id', '') as payment_id,
        step.content ->> 'tender_id' as parent_payment_id,

        ---------- states
        step.kind,
        step.status,
        lower(step.content ->> 'type') as gateway,

        ---------- numerics
        step.content #>> '{amount_money,currency}' as currency,
        {{ square_money("step.content", "amount_money") }} as amount,
        step.content #>> '{amount_money,currency}' as presentment_currency,
        {{ square_money("step.content", "amount_money") }} as presentment_amount,
        null::numeric as rounding_amount,

        ---------- timestamps
        {{ moment("step.content ->> 'created_at'") }} as processed_at
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ square_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    left join lateral (
        select
            tender.content,
            records.payload ->> 'id' as order_id,
            case
                when tender.content -> 'card_details' ->> 'status' = 'AUTHORIZED' then 'authorization'
                else 'sale'
            end as kind,
            case
                when tender.content -> 'card_details' ->> 'status' in ('FAILED', 'VOIDED') then 'failure'
                else 'success'
            end as status
        from {{ items_of("records.payload", "tenders") }} as tender (content)
        union all
        -- What goes back stands in the return, an order of its own, and names the payment and its order.
        select
            refund.content,
            coalesce(refund.content ->> 'transaction_id', records.payload #>> '{returns,0,source_order_id}')
                as order_id,
            'refund' as kind,
            case
                when refund.content ->> 'status' in ('REJECTED', 'FAILED') then 'failure'
                when refund.content ->> 'status' = 'PENDING' then 'pending'
                else 'success'
            end as status
        from {{ items_of("records.payload", "refunds") }} as refund (content)
    ) as step on true
)

select * from final
