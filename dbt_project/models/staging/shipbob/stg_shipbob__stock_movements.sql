with records as (
    {{ raw_records("shipbob", "stock_movements") }}
),

-- One event may take from one centre and give to another.
changes as (
    select
        {{ record_columns() }},
        records.payload,
        change.content
    from records
    cross join
        lateral (
            values (records.payload -> 'increment'), (records.payload -> 'decrement')
        ) as change (content)
    where jsonb_typeof(change.content) = 'object'
),

final as (
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
        changes.payload ->> 'inventory_id' as source_item_id,
        changes.content ->> 'facility_id' as source_location_id,
        null::text as source_reference,
        changes.payload ->> 'shipbob_order_id' as source_order_id,

        ---------- texts
        case
            when
                changes.payload ->> 'shipbob_order_id' is not null
                and (changes.content ->> 'quantity_change')::integer < 0
                then 'ship'
            when changes.payload ->> 'event_category' like 'Receiving%' then 'receipt'
            when changes.payload ->> 'event_category' = 'InventoryReceived' then 'return'
            when changes.payload ->> 'event_category' = 'InventoryFacilityUpdated' then 'transfer'
            when changes.content ->> 'inventory_status' = 'Damaged' then 'damage'
            else 'adjust'
        end as kind,

        ---------- numerics
        (changes.content ->> 'quantity_change')::integer as delta_quantity,
        null::integer as counted_quantity,
        (changes.payload ->> 'inventory_audit_event_id')::bigint as sequence
    from changes
)

select * from final
