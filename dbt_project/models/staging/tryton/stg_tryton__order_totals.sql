with records as (
    {{ raw_records("tryton", "orders") }}
),

-- What is no order leaves a row of its key.
final as (
    select
        {{ record_columns() }},
        {{ tryton_order_rank("records.payload") }} as tie_rank,

        ---------- ids
        case
            when {{ tryton_is_no_order("records.payload") }} then ''
            else coalesce(records.payload ->> 'id', '')
        end as order_id,
        nullif(records.payload ->> 'web_id', '') as external_ref,

        ---------- numerics
        records.payload #>> '{currency,code}' as currency,
        records.payload #>> '{currency,code}' as presentment_currency,
        {{ tryton_amount("records.payload", "total_amount") }} as total_amount,
        {{ tryton_amount("records.payload", "total_amount") }} as presentment_total_amount,
        {{ tryton_amount("records.payload", "total_amount") }} as original_total_amount,
        {{ tryton_amount("records.payload", "untaxed_amount") }} as subtotal_amount,
        {{ tryton_amount("records.payload", "tax_amount") }} as tax_amount,
        -- Payments are documents of their own.
        null::numeric as authorized_amount,
        null::numeric as paid_amount,
        null::numeric as refunded_amount,
        null::numeric as outstanding_amount,

        ---------- states
        null::text as financial_status,
        case
            when records.payload is null then null
            when {{ tryton_is_cancelled("records.payload") }} then 'cancelled'
            when records.payload ->> 'state' = 'done' then 'closed'
            else 'open'
        end as order_status,

        ---------- booleans
        records.payload is not null as is_whole_order,
        false as is_tax_included,
        false as is_test,
        false as is_edited,

        ---------- timestamps
        {{ tryton_time("(records.payload -> 'create_date')") }}::staging.moment::timestamptz as ordered_at,
        case
            when {{ tryton_is_cancelled("records.payload") }}
                then {{ tryton_time("(records.payload -> 'write_date')") }}
        end as cancelled_at,
        case
            when records.payload ->> 'state' = 'done' then {{ tryton_time("(records.payload -> 'write_date')") }}
        end as closed_at
    from records
)

select * from final
