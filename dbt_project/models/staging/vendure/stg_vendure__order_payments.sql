with records as (
    {{ raw_records("vendure", "orders") }}
),

-- Left join, so that a deleted order and one that nobody has paid still leave a row of their key.
final as (
    select
        {{ record_columns() }},
        version.tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', '') as order_id,
        coalesce(step.payment_id, '') as payment_id,
        step.parent_payment_id,

        ---------- states
        step.kind,
        step.status,
        step.gateway,

        ---------- numerics
        records.payload ->> 'currencyCode' as currency,
        step.amount,
        records.payload ->> 'currencyCode' as presentment_currency,
        step.amount as presentment_amount,
        null::numeric as rounding_amount,

        ---------- timestamps
        step.processed_at
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ vendure_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    -- A payment of Vendure's is one record from its promise on: taken, it is a sale; given up before, it is void.
    left join lateral (
        select
            payment.content ->> 'id' as payment_id,
            null as parent_payment_id,
            case payment.content ->> 'state'
                when 'Authorized' then 'authorization'
                when 'Cancelled' then 'void'
                else 'sale'
            end as kind,
            case
                when payment.content ->> 'state' in ('Authorized', 'Settled', 'Cancelled') then 'success'
                when payment.content ->> 'state' in ('Declined', 'Error') then 'failure'
                else 'pending'
            end as status,
            payment.content ->> 'method' as gateway,
            {{ vendure_money("payment.content", "amount") }} as amount,
            {{ moment("payment.content ->> 'createdAt'") }} as processed_at
        from {{ items_of("records.payload", "payments") }} as payment (content)
        union all
        select
            'refund|' || (refund.content ->> 'id') as payment_id,
            payment.content ->> 'id' as parent_payment_id,
            'refund' as kind,
            case refund.content ->> 'state'
                when 'Settled' then 'success'
                when 'Failed' then 'failure'
                else 'pending'
            end as status,
            payment.content ->> 'method' as gateway,
            {{ vendure_money("refund.content", "total") }} as amount,
            {{ moment("refund.content ->> 'updatedAt'") }} as processed_at
        from {{ items_of("records.payload", "payments") }} as payment (content)
        cross join lateral {{ items_of("payment.content", "refunds") }} as refund (content)
    ) as step on true
)

select * from final
