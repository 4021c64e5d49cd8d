with records as (
    {{ raw_records("shipbob", "stock_movements") }}
),

-- One event may take from one centre and give to another; what it moves within one centre comes to one figure.
changes as (
    select
        {{ record_columns() }},
        records.payload,
        change.facility_id,
        change.quantity,
        change.is_damaged
    from records
    left join lateral (
        select
            side.content ->> 'facility_id' as facility_id,
            sum({{ quantity("side.content ->> 'quantity_change'") }}) as quantity,
            bool_or(side.content ->> 'inventory_status' = 'Damaged') as is_damaged
        from (values (records.payload -> 'increment'), (records.payload -> 'decrement')) as side (content)
        where jsonb_typeof(side.content) = 'object'
        group by side.content ->> 'facility_id'
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
        case when changes.facility_id is null then '' else coalesce(changes.payload ->> 'inventory_id', '') end
            as source_item_id,
        coalesce(changes.facility_id, '') as source_location_id,
        null::text as source_reference,
        changes.payload ->> 'shipbob_order_id' as source_order_id,

        ---------- texts
        case
            when
                changes.payload ->> 'shipbob_order_id' is not null
                and changes.quantity < 0
                then 'ship'
            when changes.payload ->> 'event_category' like 'Receiving%' then 'receipt'
            when changes.payload ->> 'event_category' = 'InventoryReceived' then 'return'
            when changes.payload ->> 'event_category' = 'InventoryFacilityUpdated' then 'transfer'
            when changes.is_damaged then 'damage'
            else 'adjust'
        end as kind,

        ---------- numerics
        changes.quantity as delta_quantity,
        null::numeric as counted_quantity,
        (changes.payload ->> 'inventory_audit_event_id')::bigint as sequence,

        ---------- timestamps
        {{ moment("changes.payload ->> 'event_datetime'") }} as moved_at,
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
