with records as (
    {{ raw_records("tryton", "stock_movements") }}
),

moves as (
    select
        {{ record_columns() }},
        records.payload #>> '{product,id}' as source_item_id,
        -- Goods that come back are moved for a sale of their own, which was made from the one that they were sold by.
        coalesce(
            nullif(records.payload #>> '{original_sales,0,reference}', ''),
            nullif(records.payload #>> '{sale,reference}', '')
        ) as source_reference,
        coalesce(records.payload #>> '{original_sales,0,id}', records.payload #>> '{sale,id}') as source_order_id,
        records.payload #>> '{from_location,type}' as from_type,
        records.payload #>> '{to_location,type}' as to_type,
        records.payload #>> '{from_location,warehouse}' as from_warehouse,
        records.payload #>> '{to_location,warehouse}' as to_warehouse,
        {{ quantity("records.payload ->> 'internal_quantity'") }} as quantity,
        (records.payload ->> 'id')::bigint as sequence,
        coalesce(records.payload ->> 'state', '') = 'done' as is_done,
        coalesce(
            {{ tryton_time("(records.payload -> 'write_date')") }},
            {{ tryton_time("(records.payload -> 'create_date')") }}
        ) as written_at
    from records
),

-- A move within one warehouse leaves what that holds as it is, and so does one that was cancelled.
ends as (
    select
        moves.*,
        side.source_location_id,
        side.direction
    from moves
    left join lateral (
        select
            moves.from_warehouse as source_location_id,
            -1 as direction
        where moves.from_warehouse is not null and moves.from_warehouse is distinct from moves.to_warehouse
        union all
        select
            moves.to_warehouse as source_location_id,
            1 as direction
        where moves.to_warehouse is not null and moves.to_warehouse is distinct from moves.from_warehouse
    ) as side on moves.is_done
),

typed as (
    select
        ends.system_id,
        ends.record_id,
        ends.source_key,
        ends.occurred_at,
        ends.received_at,
        ends.correlation_id,
        ends.payload_hash,
        ends.is_deleted,

        ---------- ids
        case when ends.source_location_id is null then '' else coalesce(ends.source_item_id, '') end as source_item_id,
        coalesce(ends.source_location_id, '') as source_location_id,
        ends.source_reference,
        ends.source_order_id,

        ---------- texts
        -- A stock count moves the difference to or from lost and found: how far the books were off, no absolute figure.
        case
            when ends.to_type = 'customer' then 'ship'
            when ends.from_type = 'customer' then 'return'
            when ends.from_type = 'supplier' then 'receipt'
            when ends.from_warehouse is not null and ends.to_warehouse is not null then 'transfer'
            else 'adjust'
        end as kind,

        ---------- numerics
        ends.direction * ends.quantity as delta_quantity,
        null::numeric as counted_quantity,
        ends.sequence,

        ---------- timestamps
        -- A later change of a done move, of its cost for example, is told as write_date too: the first one counts.
        ends.written_at as moved_at,
        ends.written_at as modified_at
    from ends
),

final as (
    select
        typed.*,
        {{ movement_tie_rank("typed") }} as tie_rank
    from typed
)

select * from final
