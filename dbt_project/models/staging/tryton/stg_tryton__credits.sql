with records as (
    {{ raw_records("tryton", "credits") }}
),

-- A credit of Trueup's stands for itself and has the order's name as its description; another one is of a sale, or of
-- the sale that took the goods back.
final as (
    select
        {{ record_columns() }},
        0::numeric as tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', records.key_text) as credit_id,
        coalesce(records.payload ->> 'number', records.payload ->> 'id') as credit_name,
        nullif(records.payload ->> 'reference', '') as external_ref,
        case
            when records.payload ->> 'reference' like 'trueup:%' then nullif(records.payload ->> 'description', '')
            else
                coalesce(
                    nullif(records.payload #>> '{original_sales,0,reference}', ''),
                    nullif(records.payload #>> '{sales,0,reference}', '')
                )
        end as origin_order_name,
        case
            when records.payload ->> 'reference' like 'trueup:%'
                then split_part(substr(records.payload ->> 'reference', 8), '|', 1)
            else
                coalesce(
                    records.payload #>> '{original_sales,0,web_shop,name}',
                    records.payload #>> '{sales,0,web_shop,name}'
                )
        end as origin_system_id,
        records.payload #>> '{sales,0,id}' as made_from_id,

        ---------- numerics
        records.payload #>> '{currency,code}' as currency,
        -- What a customer is owed is negative on the document.
        -{{ tryton_amount("records.payload", "total_amount") }} as credited_amount,

        ---------- booleans
        coalesce(records.payload ->> 'state' = 'cancelled', false) as is_void,

        ---------- timestamps
        coalesce(
            {{ tryton_day("(records.payload -> 'accounting_date')") }},
            {{ tryton_day("(records.payload -> 'invoice_date')") }}
        ) as booked_on,
        {{ tryton_time("(records.payload -> 'create_date')") }} as credited_at
    from records
)

select * from final
