with records as (
    {{ raw_records("bigcommerce", "orders") }}
),

final as (
    select
        {{ record_columns() }},
        version.tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', '') as order_id,
        null::text as external_ref,

        ---------- numerics
        {{ bigcommerce_currency("records.payload") }} as currency,
        {{ bigcommerce_currency("records.payload") }} as presentment_currency,
        {{ money("records.payload ->> 'total_inc_tax'") }} as total_amount,
        {{ money("records.payload ->> 'total_inc_tax'") }} as presentment_total_amount,
        -- BigCommerce tells no former total, and a refund leaves the total as it was.
        {{ money("records.payload ->> 'total_inc_tax'") }} as original_total_amount,
        {{ bigcommerce_money("records.payload", "subtotal", "records.payload") }}
        - {{ money("records.payload ->> 'discount_amount'") }}
        - {{ money("records.payload ->> 'coupon_discount'") }} as subtotal_amount,
        {{ money("records.payload ->> 'total_tax'") }} as tax_amount,
        paid.authorized_amount,
        paid.paid_amount,
        -- The order's own refunded_amount "always returns 0" (Orders API v2): the refunds themselves say it.
        refunded.refunded_amount,
        {{ money("records.payload ->> 'total_inc_tax'") }} - paid.paid_amount as outstanding_amount,

        ---------- states
        case records.payload ->> 'payment_status'
            when 'authorized' then 'authorized'
            when 'captured' then 'paid'
            when 'paid' then 'paid'
            when 'partially refunded' then 'partly_refunded'
            when 'refunded' then 'refunded'
            when 'void' then 'voided'
            when 'void pending' then 'voided'
            when 'pending' then 'unpaid'
            when 'capture pending' then 'authorized'
            when 'held for review' then 'unpaid'
            when 'declined' then 'unpaid'
        end as financial_status,
        case
            when records.payload is null then null
            when {{ is_bigcommerce_cancelled("records.payload") }} then 'cancelled'
            -- 2 shipped, 4 refunded, 10 completed.
            when (records.payload ->> 'status_id')::integer in (2, 4, 10) then 'closed'
            else 'open'
        end as order_status,

        ---------- booleans
        true as is_whole_order,
        (records.payload ->> 'is_tax_inclusive_pricing')::boolean as is_tax_included,
        coalesce(paid.is_test, false) as is_test,
        -- BigCommerce does not say.
        false as is_edited,

        ---------- timestamps
        {{ moment("records.payload ->> 'date_created'") }} as ordered_at,
        case
            when {{ is_bigcommerce_cancelled("records.payload") }}
                then {{ moment("records.payload ->> 'date_modified'") }}
        end as cancelled_at,
        null::timestamptz as closed_at
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ bigcommerce_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    -- Null where the record landed without its payments: unknown is not zero.
    cross join
        lateral (
            select
                case when records.payload -> 'transactions' is not null then coalesce(
                    sum({{ money("step.content ->> 'amount'") }}) filter (
                        where step.content ->> 'event' = 'authorization'
                        and step.content ->> 'status' = 'ok'
                        and not exists (
                            select 1
                            from {{ items_of("records.payload", "transactions") }} as later (content)
                            where
                                later.content ->> 'reference_transaction_id' = step.content ->> 'id'
                                and later.content ->> 'event' in ('capture', 'void')
                                and later.content ->> 'status' = 'ok'
                        )
                    ),
                    0
                ) end as authorized_amount,
                case when records.payload -> 'transactions' is not null then coalesce(
                    sum({{ money("step.content ->> 'amount'") }}) filter (
                        where step.content ->> 'event' in ('purchase', 'capture', 'settled')
                        and step.content ->> 'status' = 'ok'
                        and not {{ is_settled_before("step.content", "records.payload") }}
                    ),
                    0
                ) end as paid_amount,
                bool_and((step.content ->> 'test')::boolean) as is_test
            from {{ items_of("records.payload", "transactions") }} as step (content)
        ) as paid
    cross join lateral (
        select
            case when records.payload -> 'refunds' is not null then coalesce(
                sum({{ money("refund.content ->> 'total_amount'") }} - coalesce(
                    (
                        select sum({{ money("part.content ->> 'amount'") }})
                        from {{ items_of("refund.content", "payments") }} as part (content)
                        where (part.content ->> 'is_declined')::boolean
                    ),
                    0
                )),
                0
            ) end as refunded_amount
        from {{ items_of("records.payload", "refunds") }} as refund (content)
    ) as refunded
)

select * from final
