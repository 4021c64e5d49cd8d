{{ config(materialized="view") }}

with locations as not materialized (
    select * from {{ source("governance", "locations") }}
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
        build_state.since_build_id as build_id
    from locations
    cross join build_state
)

select * from final
