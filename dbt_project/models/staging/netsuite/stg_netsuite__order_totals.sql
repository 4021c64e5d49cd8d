with records as (
    {{ raw_records("netsuite", "orders") }}
),

-- NetSuite tells an order line by line, each with what the whole of it comes to.
final as (
    select
        {{ record_columns() }},
        {{ netsuite_order_rank("records.payload") }} as tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'transaction', '') as order_id,
        nullif(records.payload ->> 'externalid', '') as external_ref,

        ---------- numerics
        records.payload ->> 'currency' as currency,
        records.payload ->> 'currency' as presentment_currency,
        {{ money("records.payload ->> 'foreigntotal'") }} as total_amount,
        {{ money("records.payload ->> 'foreigntotal'") }} as presentment_total_amount,
        {{ money("records.payload ->> 'foreigntotal'") }} as original_total_amount,
        null::numeric as subtotal_amount,
        -{{ money("records.payload ->> 'taxamount'") }} as tax_amount,
        -- Payments are documents of their own.
        null::numeric as authorized_amount,
        null::numeric as paid_amount,
        null::numeric as refunded_amount,
        null::numeric as outstanding_amount,

        ---------- states
        null::text as financial_status,
        case
            when records.payload is null then null
            when records.payload ->> 'status' = 'C' then 'cancelled'
            when records.payload ->> 'status' in ('G', 'H') then 'closed'
            else 'open'
        end as order_status,

        ---------- booleans
        false as is_whole_order,
        false as is_tax_included,
        false as is_test,
        false as is_edited,

        ---------- timestamps
        {{ moment("records.payload ->> 'createddate'") }} as ordered_at,
        case
            when records.payload ->> 'status' = 'C' then {{ moment("records.payload ->> 'lastmodifieddate'") }}
        end as cancelled_at,
        case
            when records.payload ->> 'status' in ('G', 'H') then {{ moment("records.payload ->> 'lastmodifieddate'") }}
        end as closed_at
    from records
)

select * from final
