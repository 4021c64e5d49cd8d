with records as (
    {{ raw_records("netsuite", "returns") }}
),

final as (
    select
        {{ record_columns() }},
        -- A return only goes on: of two answers of one second the one with more received is the later.
        coalesce(abs({{ quantity("records.payload ->> 'quantityshiprecv'") }}), 0) as tie_rank,

        ---------- ids
        records.payload ->> 'transaction' as return_id,
        records.payload ->> 'tranid' as return_name,
        coalesce(records.payload ->> 'uniquekey', records.key_text) as return_part_id,
        records.payload ->> 'createdfrom' as order_id,
        nullif(records.payload ->> 'otherrefnum', '') as origin_order_name,
        nullif(records.payload ->> 'custbody_channel', '') as origin_system_id,
        null::text as line_id,
        records.payload ->> 'item' as source_item_id,

        ---------- numerics
        coalesce(abs({{ quantity("records.payload ->> 'quantity'") }}), 0) as announced_quantity,
        coalesce(abs({{ quantity("records.payload ->> 'quantityshiprecv'") }}), 0) as received_quantity,
        coalesce(abs({{ quantity("records.payload ->> 'restockedquantity'") }}), 0) as restocked_quantity,
        0::numeric as exchanged_quantity,

        ---------- states
        case
            when coalesce(abs({{ quantity("records.payload ->> 'quantityshiprecv'") }}), 0) = 0 then null
            when coalesce(abs({{ quantity("records.payload ->> 'restockedquantity'") }}), 0) = 0 then 'not_restocked'
            when
                abs({{ quantity("records.payload ->> 'restockedquantity'") }})
                < abs({{ quantity("records.payload ->> 'quantityshiprecv'") }})
                then 'mixed'
            else 'restocked'
        end as disposition,
        case
            when records.payload is null then null
            when records.payload ->> 'status' = 'C' or records.payload ->> 'isclosed' = 'T' then 'cancelled'
            when records.payload ->> 'status' = 'A' then 'requested'
            when records.payload ->> 'status' in ('F', 'G', 'H') then 'closed'
            else 'open'
        end as return_status,

        ---------- timestamps
        {{ moment("records.payload ->> 'createddate'") }} as announced_at,
        case
            when coalesce(abs({{ quantity("records.payload ->> 'quantityshiprecv'") }}), 0) > 0
                then {{ moment("records.payload ->> 'lastmodifieddate'") }}
        end as arrived_at
    from records
)

select * from final
