{{ config(
    unique_key=["system_id", "source_key", "record_id"],
    indexes=[
        {"columns": ["system_id", "source_key", "record_id"], "unique": true},
        {"columns": ["system_id", "source_stock_item_id"]},
        {"columns": ["build_id"]},
    ],
    meta={
        "kind_of_record": "listings",
        "recomputed_by": {"kind": "landed", "key": ["row.system_id", "row.source_key"]},
        "touches": {"stock_item": ["row.system_id", "row.source_stock_item_id"]},
        "hash_joins": "landed",
    },
) }}

{%- set build = build_state() %}
{%- set columns = [
    "source_stock_item_id", "source_location_id", "channel_record_id", "shown_available_quantity",
    "shown_on_hand_quantity", "allocated_quantity", "is_tracked",
] %}

with {{ newest_versions("listings", columns) }},

-- What the listing showed before: whether somebody changed it by hand is seen against that.
earlier as (
    select
        versions.system_id,
        versions.source_key,
        versions.record_id,
        versions.occurred_at,
        versions.received_at,
        versions.shown_available_quantity,
        versions.shown_on_hand_quantity
    from versions
    {%- if is_part() %}
    union all
    select
        held.system_id,
        held.source_key,
        -1::bigint as record_id,
        held.previous_observed_at as occurred_at,
        held.previous_received_at as received_at,
        held.previous_available_quantity as shown_available_quantity,
        held.previous_on_hand_quantity as shown_on_hand_quantity
    from touched_source_keys
    inner join {{ this }} as held
        on touched_source_keys.system_id = held.system_id and touched_source_keys.source_key = held.source_key
    where held.is_current and held.previous_observed_at is not null
    {%- endif %}
),

previous as (
    select distinct on (newest.system_id, newest.source_key)
        newest.system_id,
        newest.source_key,
        earlier.occurred_at as previous_observed_at,
        earlier.received_at as previous_received_at,
        earlier.shown_available_quantity as previous_available_quantity,
        earlier.shown_on_hand_quantity as previous_on_hand_quantity
    from newest
    inner join earlier
        on
            newest.system_id = earlier.system_id
            and newest.source_key = earlier.source_key
            and (earlier.occurred_at, earlier.record_id) < (newest.occurred_at, newest.record_id)
            and (earlier.shown_available_quantity, earlier.shown_on_hand_quantity)
            is distinct from (newest.shown_available_quantity, newest.shown_on_hand_quantity)
    where newest.is_current
    order by newest.system_id asc, newest.source_key asc, earlier.occurred_at desc, earlier.record_id desc
),

final as (
    select
        {{ version_columns("newest") }},
        newest.source_stock_item_id,
        newest.source_location_id,
        newest.channel_record_id,
        newest.shown_available_quantity,
        newest.shown_on_hand_quantity,
        newest.allocated_quantity,
        newest.is_tracked,
        previous.previous_observed_at,
        previous.previous_received_at,
        previous.previous_available_quantity,
        previous.previous_on_hand_quantity,
        {{ build.build_id }}::bigint as build_id
    from newest
    left join previous
        on newest.system_id = previous.system_id and newest.source_key = previous.source_key and newest.is_current
)

select * from final
