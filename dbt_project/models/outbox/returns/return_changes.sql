with differences as not materialized (
    select * from {{ ref("return_differences") }}
),

credits as not materialized (
    select * from {{ ref("int_credits_to_book") }}
),

refunds as not materialized (
    select * from {{ ref("int_refunds_to_make") }}
),

changes as not materialized (
    select * from {{ source("outbox", "changes") }}
),

stream_positions as not materialized (
    select * from {{ source("raw", "stream_positions") }}
),

-- What may be done without deciding anything anew: a refund is credited, what came back is refunded.
wanted as (
    select
        differences.*,
        coalesce(credits.document, refunds.document) as document,
        coalesce((credits.document ->> 'total')::numeric, refunds.amount) as amount,
        case
            when
                differences.difference_class = 'received_not_refunded'
                and coalesce(refunds.covered_amount, 0) < refunds.amount
                then 'would give back more than is left of its payments'
        end as refused_because,
        case
            when differences.difference_class = 'received_not_refunded' then differences.owner_system_id
            else differences.target_system
        end as read_system,
        case when differences.difference_class = 'received_not_refunded' then 'orders' else 'credits' end as read_stream
    from differences
    left join credits
        on
            differences.difference_class = 'refund_without_credit'
            and differences.refund_id = credits.refund_id
            and differences.order_name = credits.order_name
            and differences.target_system = credits.credited_in
    left join refunds
        on
            differences.difference_class = 'received_not_refunded'
            and differences.subject_key = refunds.subject_key
            and differences.target_system = refunds.target_system
    where
        differences.difference_class in ('refund_without_credit', 'received_not_refunded')
        and differences.waits_for is null
        and differences.due_at <= now()
),

final as (
    select
        wanted.entity,
        'create'::text as operation,
        wanted.target_system,
        wanted.record_ref,
        wanted.field,
        wanted.subject_key,
        null::jsonb as expected,
        jsonb_build_object('document', wanted.document) as desired,
        -- What the guards measure: whole units of the order's currency.
        ceil(coalesce(wanted.amount, 0))::bigint as size,
        wanted.cause,
        -- By harm: a customer waits for money; then the refund that has waited longest for its credit.
        (
            case when wanted.difference_class = 'received_not_refunded' then 0 else 1000000 end
            + {{ longest_wait_first("wanted.observed_at") }}
        )::integer as priority,
        wanted.facts_version,
        wanted.observed_at as facts_as_of,
        wanted.newest_received_at as facts_received_at,
        wanted.correlation_id,
        -- Whose word it was decided from: the channel's on the money, the location's on the goods.
        case
            when wanted.difference_class = 'received_not_refunded' then wanted.received_by
            else wanted.owner_system_id
        end as owner_system,
        case
            when wanted.difference_class = 'received_not_refunded' then 'canonical.return_lines ' || wanted.subject_key
            else 'canonical.refunds ' || wanted.refund_id
        end as decided_from,
        wanted.refused_because,
        wanted.build_id
    from wanted
    left join stream_positions
        on wanted.read_system = stream_positions.system_id and wanted.read_stream = stream_positions.stream
    where {{ is_read_since_our_push("wanted", "changes", "stream_positions.last_read_started_at") }}
)

select * from final
