with records as (
    {{ raw_records("vendure", "orders") }}
),

final as (
    select
        {{ record_columns() }},
        version.tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', '') as order_id,
        null::text as external_ref,

        ---------- numerics
        records.payload ->> 'currencyCode' as currency,
        records.payload ->> 'currencyCode' as presentment_currency,
        money.total_amount,
        money.total_amount as presentment_total_amount,
        case
            when not edits.is_edited and records.payload ->> 'state' <> 'Cancelled' then money.total_amount
            -- An order is placed when its payments cover it; those of later changes are told by the changes.
            else nullif(paid.first_amount, 0)
        end as original_total_amount,
        (
            select sum({{ vendure_price("line.content", "proratedLinePrice") }})
            from {{ items_of("records.payload", "lines") }} as line (content)
        ) as subtotal_amount,
        {{ vendure_tax("records.payload", "total") }} as tax_amount,
        paid.authorized_amount,
        paid.paid_amount,
        paid.refunded_amount,
        -- Vendure lets an order go on only when it is paid. A refund alone makes nobody owe again; what was taken off
        -- and not paid back yet is below zero.
        case
            when records.payload ->> 'state' = 'PaymentAuthorized' then money.total_amount - paid.paid_amount
            when
                records.payload ->> 'state' in ('Modifying', 'ArrangingAdditionalPayment')
                then money.total_amount - paid.paid_amount + paid.refunded_amount
            else least(0, money.total_amount - paid.paid_amount + paid.refunded_amount)
        end as outstanding_amount,

        ---------- states
        null::text as financial_status,
        case
            when records.payload is null then null
            when records.payload ->> 'state' = 'Cancelled' then 'cancelled'
            when records.payload ->> 'state' = 'Delivered' then 'closed'
            else 'open'
        end as order_status,

        ---------- booleans
        true as is_whole_order,
        (records.payload ->> 'pricesIncludeTax')::boolean as is_tax_included,
        false as is_test,
        edits.is_edited,

        ---------- timestamps
        {{ moment("coalesce(records.payload ->> 'orderPlacedAt', records.payload ->> 'createdAt')") }} as ordered_at,
        case
            when records.payload ->> 'state' = 'Cancelled' then {{ moment("records.payload ->> 'updatedAt'") }}
        end as cancelled_at,
        case
            when records.payload ->> 'state' = 'Delivered' then (
                select max({{ moment("sent.content ->> 'updatedAt'") }})
                from {{ items_of("records.payload", "fulfillments") }} as sent (content)
                where sent.content ->> 'state' = 'Delivered'
            )
        end as closed_at
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ vendure_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    cross join
        lateral (
            select {{ vendure_money("records.payload", "totalWithTax") }} as total_amount
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as money
    -- An order that was cancelled as a whole was not edited by that.
    cross join
        lateral (
            select
                exists (select 1 from {{ items_of("records.payload", "modifications") }})
                or records.payload ->> 'state' <> 'Cancelled'
                and exists (
                    select 1
                    from {{ items_of("records.payload", "lines") }} as line (content)
                    where
                        {{ quantity("line.content ->> 'quantity'") }}
                        <> {{ quantity("line.content ->> 'orderPlacedQuantity'") }}
                ) as is_edited
        ) as edits
    cross join lateral (
        select
            coalesce(
                sum(step.amount) filter (where step.state = 'Authorized'), 0
            ) as authorized_amount,
            coalesce(sum(step.amount) filter (where step.state = 'Settled'), 0) as paid_amount,
            coalesce(sum(step.refunded_amount), 0) as refunded_amount,
            coalesce(
                sum(step.amount) filter (where step.state in ('Authorized', 'Settled') and not step.is_of_a_change), 0
            ) as first_amount
        from (
            select
                {{ vendure_money("payment.content", "amount") }} as amount,
                payment.content ->> 'state' as state,
                payment.content ->> 'id' in (
                    select change.content #>> '{payment,id}'
                    from {{ items_of("records.payload", "modifications") }} as change (content)
                    where change.content #>> '{payment,id}' is not null
                ) as is_of_a_change,
                (
                    select coalesce(sum({{ vendure_money("refund.content", "total") }}), 0)
                    from {{ items_of("payment.content", "refunds") }} as refund (content)
                    where refund.content ->> 'state' <> 'Failed'
                ) as refunded_amount
            from {{ items_of("records.payload", "payments") }} as payment (content)
        ) as step
    ) as paid
)

select * from final
