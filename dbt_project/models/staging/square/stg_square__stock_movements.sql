with records as (
    {{ raw_records("square", "stock_movements") }}
),

-- What each change does to what is in stock at a place; a transfer does something at two, others nothing anywhere.
changes as (
    select
        {{ record_columns() }},
        change.content,
        change.source_location_id,
        change.kind,
        change.sign,
        change.is_count
    from records
    left join lateral (
        select
            records.payload -> 'physical_count' as content,
            records.payload #>> '{physical_count,location_id}' as source_location_id,
            'count' as kind,
            1 as sign,
            true as is_count
        where
            records.payload ->> 'type' = 'PHYSICAL_COUNT'
            and records.payload #>> '{physical_count,state}' = 'IN_STOCK'
        union all
        select
            records.payload -> 'adjustment' as content,
            records.payload #>> '{adjustment,location_id}' as source_location_id,
            case
                when records.payload #>> '{adjustment,to_state}' in ('SOLD', 'SOLD_ONLINE') then 'sale'
                when records.payload #>> '{adjustment,to_state}' = 'WASTE' then 'damage'
                when
                    records.payload #>> '{adjustment,from_state}' in ('RETURNED_BY_CUSTOMER', 'UNLINKED_RETURN')
                    then 'return'
                when records.payload #>> '{adjustment,from_state}' = 'NONE' then 'receipt'
                when 'IN_TRANSIT_TO' in (
                    records.payload #>> '{adjustment,from_state}', records.payload #>> '{adjustment,to_state}'
                ) then 'transfer'
                else 'adjust'
            end as kind,
            case when records.payload #>> '{adjustment,to_state}' = 'IN_STOCK' then 1 else -1 end as sign,
            false as is_count
        where
            records.payload ->> 'type' = 'ADJUSTMENT'
            and (records.payload #>> '{adjustment,from_state}' = 'IN_STOCK')
            <> (records.payload #>> '{adjustment,to_state}' = 'IN_STOCK')
        union all
        select
            records.payload -> 'transfer' as content,
            records.payload #>> '{transfer,from_location_id}' as source_location_id,
            'transfer' as kind,
            -1 as sign,
            false as is_count
        where
            records.payload ->> 'type' = 'TRANSFER'
            and records.payload #>> '{transfer,state}' = 'IN_STOCK'
            and records.payload #>> '{transfer,from_location_id}' <> records.payload #>> '{transfer,to_location_id}'
        union all
        select
            records.payload -> 'transfer' as content,
            records.payload #>> '{transfer,to_location_id}' as source_location_id,
            'transfer' as kind,
            1 as sign,
            false as is_count
        where
            records.payload ->> 'type' = 'TRANSFER'
            and records.payload #>> '{transfer,state}' = 'IN_STOCK'
            and records.payload #>> '{transfer,from_location_id}' <> records.payload #>> '{transfer,to_location_id}'
    ) as change on true
),

typed as (
    select
        changes.system_id,
        changes.record_id,
        changes.source_key,
        changes.occurred_at,
        changes.received_at,
        changes.correlation_id,
        changes.payload_hash,
        changes.is_deleted,

        ---------- ids
        case
            when changes.source_location_id is null then '' else coalesce(changes.content ->> 'catalog_object_id', '')
        end as source_item_id,
        coalesce(changes.source_location_id, '') as source_location_id,
        changes.content ->> 'reference_id' as source_reference,
        changes.content ->> 'transaction_id' as source_order_id,

        ---------- texts
        changes.kind,

        ---------- numerics
        case
            when not changes.is_count then changes.sign * {{ quantity("changes.content ->> 'quantity'") }}
        end as delta_quantity,
        case
            when changes.is_count then {{ quantity("changes.content ->> 'quantity'") }}
        end as counted_quantity,
        -- Square numbers nothing: what it took in at one time is ordered by its ids.
        0::bigint as sequence,

        ---------- timestamps
        (changes.content ->> 'created_at')::timestamptz as moved_at,
        null::timestamptz as modified_at
    from changes
),

final as (
    select
        typed.*,
        {{ movement_tie_rank("typed") }} as tie_rank
    from typed
)

select * from final
