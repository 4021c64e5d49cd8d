with stream_positions as not materialized (
    select * from {{ source("raw", "stream_positions") }}
),

systems as not materialized (
    select * from {{ source("governance", "systems") }}
),

build_state as not materialized (
    select * from {{ source("staging", "build_state") }}
),

-- What is polled more seldom than its system may be that much older.
cadences as (
    select
        cadence.system_id,
        cadence.stream,
        cadence.every_seconds
    from (
        values
        (null::text, null::text, null::integer)
        {%- for system_id, stream, every_seconds in (var("seldom_streams") if execute else []) %},
        ('{{ system_id }}', '{{ stream }}', {{ every_seconds }})
        {%- endfor %}
    ) as cadence (system_id, stream, every_seconds)
),

aged as (
    select
        stream_positions.system_id,
        stream_positions.stream,
        systems.role,
        stream_positions.polled_as_of,
        stream_positions.swept_as_of,
        stream_positions.last_read_started_at,
        extract(epoch from now() - stream_positions.last_read_started_at)::double precision as age_seconds,
        {{ var("freshness_seconds") | int }} + coalesce(cadences.every_seconds, 0) as limit_seconds
    from stream_positions
    inner join systems on stream_positions.system_id = systems.system_id
    left join cadences
        on stream_positions.system_id = cadences.system_id and stream_positions.stream = cadences.stream
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
        aged.limit_seconds,
        coalesce(aged.age_seconds > aged.limit_seconds, true) as is_late,
        build_state.since_build_id as build_id
    from aged
    cross join build_state
)

select * from final
