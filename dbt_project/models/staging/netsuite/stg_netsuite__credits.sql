with records as (
    {{ raw_records("netsuite", "credits") }}
),

final as (
    select
        {{ record_columns() }},
        0::numeric as tie_rank,

        ---------- ids
        coalesce(records.payload ->> 'id', records.key_text) as credit_id,
        records.payload ->> 'tranid' as credit_name,
        nullif(records.payload ->> 'externalid', '') as external_ref,
        nullif(records.payload ->> 'otherrefnum', '') as origin_order_name,
        nullif(records.payload ->> 'custbody_channel', '') as origin_system_id,
        records.payload ->> 'createdfrom' as made_from_id,

        ---------- numerics
        records.payload ->> 'currency' as currency,
        -- What a customer is owed is negative in NetSuite's books.
        -{{ money("records.payload ->> 'foreigntotal'") }} as credited_amount,

        ---------- booleans
        coalesce(records.payload ->> 'voided' = 'T', false) as is_void,

        ---------- timestamps
        ({{ moment("records.payload ->> 'trandate'") }} at time zone 'UTC')::date as booked_on,
        {{ moment("records.payload ->> 'createddate'") }} as credited_at
    from records
)

select * from final
