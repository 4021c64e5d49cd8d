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
        case records.payload ->> 'type'
            when 'ItemShip' then 'ship'
            when 'ItemRcpt' then 'receipt'
            when 'InvTrnfr' then 'transfer'
            when 'CustCred' then 'return'
            else 'adjust'
        end as kind,

        ---------- numerics
        -- A count's line says how far the books were off, not what was counted: it adjusts.
        -- Part of a unit is rounded down.
        floor((records.payload ->> 'quantity')::numeric)::integer as delta_quantity,
        null::integer as counted_quantity,
        (records.payload ->> 'uniquekey')::bigint as sequence,

        ---------- timestamps
        (records.payload ->> 'createddate')::timestamp at time zone 'UTC' as moved_at,
        (records.payload ->> 'lastmodifieddate')::timestamp at time zone 'UTC' as modified_at
    from records
),

final as (
    select
        typed.*,
        {{ movement_tie_rank("typed") }} as tie_rank
    from typed
)

select * from final
