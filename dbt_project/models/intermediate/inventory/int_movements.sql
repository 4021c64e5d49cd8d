{{ config(
    unique_key=["system_id", "source_key", "record_id", "source_location_id", "source_item_id"],
    indexes=[
        {"columns": ["system_id", "source_key", "record_id", "source_location_id", "source_item_id"], "unique": true},
        {"columns": ["system_id", "source_item_id", "source_location_id", "settled_at"]},
        {"columns": ["source_reference"]},
        {"columns": ["system_id", "source_order_id"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "kind_of_record": "stock_movements",
        "recomputed_by": {"kind": "landed", "key": ["row.system_id", "row.source_key"]},
        "touches": {
            "stock_item": ["row.system_id", "row.source_item_id"],
            "order_name": "row.source_reference",
            "order_id": ["row.system_id", "row.source_order_id"],
        },
        "hash_joins": "landed",
    },
) }}

{%- set columns = [
    "moved_at", "modified_at", "source_item_id", "source_location_id", "kind", "delta_quantity", "counted_quantity",
    "sequence", "source_reference", "source_order_id",
] %}

-- Every version is kept: a stock level holds what a movement said when the level was taken, not what it says now. Rows
-- that were added for a version below are no version's own.
with {{ newest_versions(
    "stock_movements", columns, keeps_all=true, held_where="not (held.is_void and held.source_item_id <> '')"
) }},

versions_in_order as (
    select
        system_id,
        source_key,
        record_id,
        is_current,
        min(moved_at) as moved_at,
        max(modified_at) as modified_at,
        min(occurred_at) as occurred_at,
        row_number() over in_order as position,
        lag(min(occurred_at)) over in_order as earlier_occurred_at,
        min(min(moved_at)) over (partition by system_id, source_key) as first_moved_at
    from newest
    group by system_id, source_key, record_id, is_current, tie_rank, payload_hash
    -- Which one is current has been decided; the order of the others follows from what they say alone.
    window in_order as (
        partition by system_id, source_key
        order by is_current, min(occurred_at), tie_rank, payload_hash nulls first, record_id
    )
),

-- A version replaced the one before it after that was last seen for certain, and by the time that the source tells, or
-- else by the time that it was seen itself.
changed as (
    select
        system_id,
        source_key,
        record_id,
        position,
        coalesce(first_moved_at, occurred_at) as moved_at,
        case
            when position = 1 then coalesce(first_moved_at, occurred_at)
            else greatest(first_moved_at, least(earlier_occurred_at, occurred_at))
        end as begins_at,
        case
            when position = 1 then coalesce(first_moved_at, occurred_at)
            when modified_at > earlier_occurred_at then greatest(first_moved_at, least(modified_at, occurred_at))
            else greatest(first_moved_at, occurred_at)
        end as changed_at
    from versions_in_order
),

timed as (
    select
        changed.system_id,
        changed.source_key,
        changed.record_id,
        changed.moved_at,
        changed.begins_at,
        lead(changed.changed_at) over in_order as ends_at,
        max(changed.changed_at) over (partition by changed.system_id, changed.source_key) as settled_at
    from changed
    window in_order as (partition by changed.system_id, changed.source_key order by changed.position)
),

several as (
    select
        system_id,
        source_key
    from timed
    group by system_id, source_key
    having count(*) > 1
),

-- A version that is deleted, or that names another product or location, moves nothing where others moved something.
named as (
    select distinct
        newest.system_id,
        newest.source_key,
        newest.source_item_id,
        newest.source_location_id
    from several
    inner join newest on several.system_id = newest.system_id and several.source_key = newest.source_key
    where newest.source_item_id <> ''
),

missing as (
    select distinct on (
        versions.system_id, versions.source_key, versions.record_id, named.source_item_id, named.source_location_id
    )
        versions.*,
        named.source_item_id as named_item_id,
        named.source_location_id as named_location_id
    from newest as versions
    inner join named on versions.system_id = named.system_id and versions.source_key = named.source_key
    where
        not exists (
            select 1
            from newest
            where
                newest.system_id = versions.system_id
                and newest.source_key = versions.source_key
                and newest.record_id = versions.record_id
                and newest.source_item_id = named.source_item_id
                and newest.source_location_id = named.source_location_id
        )
    order by
        versions.system_id, versions.source_key, versions.record_id, named.source_item_id, named.source_location_id
),

rows as (
    select
        newest.*,
        null as named_item_id,
        null as named_location_id,
        newest.source_item_id = '' as is_void,
        false as is_added
    from newest
    union all
    select
        missing.*,
        true as is_void,
        true as is_added
    from missing
),

final as (
    select
        rows.system_id,
        rows.source_key,
        rows.record_id,
        coalesce(rows.named_location_id, rows.source_location_id) as source_location_id,
        coalesce(rows.named_item_id, rows.source_item_id) as source_item_id,
        rows.occurred_at,
        rows.received_at,
        rows.correlation_id,
        rows.payload_hash,
        rows.tie_rank,
        rows.is_deleted,
        rows.is_current,
        rows.is_newest,
        rows.is_void,
        timed.moved_at,
        rows.modified_at,
        timed.begins_at,
        timed.ends_at,
        timed.settled_at,
        case when not rows.is_added then rows.kind end as kind,
        case when rows.is_added then 0 else rows.delta_quantity end as delta_quantity,
        case when not rows.is_added then rows.counted_quantity end as counted_quantity,
        case when rows.is_added then 0 else rows.sequence end as sequence,
        case when not rows.is_added then rows.source_reference end as source_reference,
        case when not rows.is_added then rows.source_order_id end as source_order_id,
        {{ build_state().build_id }}::bigint as build_id
    from rows
    inner join timed
        on
            rows.system_id = timed.system_id
            and rows.source_key = timed.source_key
            and rows.record_id = timed.record_id
)

select * from final
