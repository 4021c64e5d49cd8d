with records as (
    {{ raw_records("netsuite", "orders") }}
),

typed as (
    select
        {{ record_columns() }},

        ---------- ids
        records.payload ->> 'transaction' as order_id,
        records.payload ->> 'tranid' as own_order_name,
        records.payload ->> 'otherrefnum' as origin_order_name,
        records.payload ->> 'custbody_channel' as origin_system_id,
        coalesce(records.payload ->> 'uniquekey', records.key_text) as line_id,
        records.payload ->> 'item' as source_item_id,
        null::text as source_code,
        records.payload ->> 'location' as source_location_id,

        ---------- numerics
        -- A sales order's lines are negative in SuiteQL.
        coalesce(abs({{ quantity("records.payload ->> 'quantity'") }}), 0) as ordered_quantity,
        coalesce(abs({{ quantity("records.payload ->> 'quantityshiprecv'") }}), 0) as shipped_quantity,

        ---------- booleans
        -- C cancelled, H closed: what was not shipped will not be.
        coalesce(records.payload ->> 'isclosed' = 'T' or records.payload ->> 'status' in ('C', 'H'), false)
            as is_cancelled,

        ---------- timestamps
        {{ moment("records.payload ->> 'createddate'") }} as ordered_at
    from records
),

final as (
    select
        typed.*,
        typed.ordered_quantity as committed_quantity,
        -- An order only goes on: of two answers of one second the one with less to ship is the later.
        case when typed.is_cancelled then 0 else typed.shipped_quantity - typed.ordered_quantity end as tie_rank
    from typed
)

select * from final
