with differences as not materialized (
    select * from {{ ref("order_differences") }}
),

changes as not materialized (
    select * from {{ source("outbox", "changes") }}
),

stream_positions as not materialized (
    select * from {{ source("raw", "stream_positions") }}
),

-- What may be done about a difference without a person: what is missing is booked, what was cancelled is cancelled.
wanted as (
    select
        differences.*,
        case when differences.difference_class = 'missing' then 'create' else 'transition' end as operation
    from differences
    where
        differences.difference_class = 'missing'
        and differences.waits_for is null
        and differences.due_at <= now()
        or differences.difference_class = 'cancelled_on_one_side'
        and differences.desired in ('"cancelled"', '"closed"')
),

final as (
    select
        wanted.entity,
        wanted.operation,
        wanted.target_system,
        wanted.record_ref,
        wanted.field,
        wanted.subject_key,
        case when wanted.operation = 'transition' then wanted.shown end as expected,
        case
            when wanted.operation = 'create' then jsonb_build_object('document', documents.document)
            else wanted.desired
        end as desired,
        -- What the guards measure: whole units of the order's currency.
        ceil(coalesce(wanted.total_amount, 0))::bigint as size,
        wanted.cause,
        -- By harm: what is cancelled and still booked will be shipped; then the order that has waited longest.
        (
            case
                when wanted.operation = 'transition' then 0
                else
                    1000000
                    + {{ longest_wait_first("wanted.observed_at") }}
            end
        )::integer as priority,
        wanted.facts_version,
        wanted.observed_at as facts_as_of,
        wanted.newest_received_at as facts_received_at,
        wanted.correlation_id,
        wanted.owner_system_id as owner_system,
        'canonical.orders ' || wanted.subject_key as decided_from,
        null::text as refused_because,
        wanted.build_id
    from wanted
    -- By a look-up for each order: joined, the documents of all orders would be made. `offset 0` keeps it one.
    left join lateral (
        select whole.document
        from {{ ref("int_order_documents_to_book") }} as whole
        where
            wanted.operation = 'create'
            and whole.order_name = wanted.order_name
            and whole.owner_system_id = wanted.owner_system_id
            and whole.booked_in = wanted.target_system
        order by whole.order_id
        offset 0
    ) as documents on true
    left join stream_positions
        on wanted.target_system = stream_positions.system_id and stream_positions.stream = 'orders'
    where {{ is_read_since_our_push("wanted", "changes", "stream_positions.last_read_started_at") }}
)

select * from final
