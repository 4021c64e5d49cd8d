with locations as not materialized (
    select * from {{ source("governance", "locations") }}
),

source_locations as not materialized (
    select * from {{ ref("int_locations") }}
),

build_state as not materialized (
    select * from {{ source("staging", "build_state") }}
),

final as (
    select
        locations.location_id,
        locations.location_name,
        locations.system_id,
        locations.source_location_id,
        case
            when source_locations.system_id is null then 'not_seen'
            when source_locations.is_deleted then 'removed'
            when not source_locations.is_active then 'inactive'
            else 'active'
        end as source_status,
        -- What was never read may be there: some accounts may not read their system's list of places.
        source_locations.system_id is null
        or (source_locations.is_active and not source_locations.is_deleted) as is_active,
        build_state.since_build_id as build_id
    from locations
    left join source_locations
        on
            locations.system_id = source_locations.system_id
            and locations.source_location_id = source_locations.source_location_id
            and source_locations.is_current
    cross join build_state
)

select * from final
