with records as (
    {{ raw_records("netsuite", "stock_movements") }}
),

typed as (
    select
        {{ record_columns() }},

        ---------- ids
        coalesce(records.payload ->> 'item', '') as source_item_id,
        coalesce(records.payload ->> 'location', '') as source_location_id,
        records.payload ->> 'otherrefnum' as source_reference,
        records.payload ->> 'createdfrom' as source_order_id,

        ---------- texts
        case
            when records.payload ->> 'type' = 'ItemShip' then 'ship'
            -- What customers sent back is received too.
            when records.payload ->> 'type' = 'ItemRcpt' and records.payload ->> 'createdfromtype' = 'RtnAuth'
                then 'return'
            when records.payload ->> 'type' = 'ItemRcpt' then 'receipt'
            when records.payload ->> 'type' = 'InvTrnfr' then 'transfer'
            when records.payload ->> 'type' = 'CustCred' then 'return'
            else 'adjust'
        end as kind,

        ---------- numerics
        -- A count's line says how far the books were off, not what was counted: it adjusts.
        {{ quantity("records.payload ->> 'quantity'") }} as delta_quantity,
        null::numeric as counted_quantity,
        (records.payload ->> 'uniquekey')::bigint as sequence,

        ---------- timestamps
        {{ moment("records.payload ->> 'createddate'") }} as moved_at,
        {{ moment("records.payload ->> 'lastmodifieddate'") }} as modified_at
    from records
),

final as (
    select
        typed.*,
        {{ movement_tie_rank("typed") }} as tie_rank
    from typed
)

select * from final
