with stream_positions as not materialized (
    select * from {{ source("raw", "stream_positions") }}
),

systems as not materialized (
    select * from {{ source("governance", "systems") }}
),

build_state as not materialized (
    select * from {{ source("staging", "build_state") }}
),

aged as (
    select
        stream_positions.system_id,
        stream_positions.stream,
        systems.role,
        stream_positions.polled_as_of,
        stream_positions.swept_as_of,
        stream_positions.last_read_started_at,
        extract(epoch from now() - stream_positions.last_read_started_at)::double precision as age_seconds
    from stream_positions
    inner join systems on stream_positions.system_id = systems.system_id
),

-- On our clock only: a source's own clock says nothing about how long ago we asked it.
final as (
    select
        aged.system_id,
        aged.stream,
        aged.role,
        aged.polled_as_of,
        aged.swept_as_of,
        aged.last_read_started_at,
        aged.age_seconds,
        {{ var("freshness_seconds") | int }} as limit_seconds,
        coalesce(aged.age_seconds > {{ var("freshness_seconds") | int }}, true) as is_late,
        build_state.since_build_id as build_id
    from aged
    cross join build_state
)

select * from final
