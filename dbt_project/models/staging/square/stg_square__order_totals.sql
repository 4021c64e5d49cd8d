with records as (
    {{ raw_records("square", "orders") }}
),

-- A return is an order of its own that comes to nothing: what it gives back stands in the refunds.
final as (
    select
        {{ record_columns() }},
        version.tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', '') as order_id,
        null::text as external_ref,

        ---------- numerics
        records.payload #>> '{total_money,currency}' as currency,
        records.payload #>> '{total_money,currency}' as presentment_currency,
        {{ square_money("records.payload", "total_money") }} as total_amount,
        {{ square_money("records.payload", "total_money") }} as presentment_total_amount,
        -- Square changes no order that is paid.
        {{ square_money("records.payload", "total_money") }} as original_total_amount,
        (
            select sum({{ square_money("line.content", "total_money") }})
            from {{ items_of("records.payload", "line_items") }} as line (content)
        ) as subtotal_amount,
        {{ square_money("records.payload", "total_tax_money") }} as tax_amount,
        paid.authorized_amount,
        paid.paid_amount,
        -- Another order tells it.
        null::numeric as refunded_amount,
        {{ square_money("records.payload", "net_amount_due_money") }} as outstanding_amount,

        ---------- states
        null::text as financial_status,
        case
            when records.payload is null then null
            when records.payload ->> 'state' = 'CANCELED' then 'cancelled'
            when records.payload ->> 'state' = 'COMPLETED' then 'closed'
            else 'open'
        end as order_status,

        ---------- booleans
        true as is_whole_order,
        (
            select coalesce(bool_and(tax.content ->> 'type' = 'INCLUSIVE'), false)
            from {{ items_of("records.payload", "taxes") }} as tax (content)
        ) as is_tax_included,
        false as is_test,
        false as is_edited,

        ---------- timestamps
        {{ moment("records.payload ->> 'created_at'") }} as ordered_at,
        case when records.payload ->> 'state' = 'CANCELED' then {{ moment(
            "coalesce(records.payload ->> 'closed_at', records.payload ->> 'updated_at')"
        ) }} end as cancelled_at,
        {{ moment("records.payload ->> 'closed_at'") }} as closed_at
    from records
    -- Once a record, not once a row that is made of it.
    cross join
        lateral (
            select {{ square_order_rank("records.payload") }}::numeric as tie_rank
            from (values (1)) as once (number)
            order by once.number
            offset 0
        ) as version
    cross join lateral (
        select
            coalesce(
                sum({{ square_money("tender.content", "amount_money") }}) filter (
                    where tender.content -> 'card_details' ->> 'status' = 'AUTHORIZED'
                ),
                0
            ) as authorized_amount,
            coalesce(
                sum({{ square_money("tender.content", "amount_money") }}) filter (
                    where coalesce(tender.content -> 'card_details' ->> 'status', 'CAPTURED') = 'CAPTURED'
                ),
                0
            ) as paid_amount
        from {{ items_of("records.payload", "tenders") }} as tender (content)
    ) as paid
)

select * from final
