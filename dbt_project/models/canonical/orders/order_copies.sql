with order_lines as not materialized (
    select * from {{ ref("int_owned_order_lines") }}
    where not is_own
),

documents as not materialized (
    select * from {{ ref("int_order_documents") }}
),

copied as (
    select
        owner_system_id || '|' || order_name as order_id,
        order_name,
        owner_system_id,
        system_id,
        order_id as source_order_id,
        bool_and(is_cancelled) as is_cancelled,
        sum(shipped_quantity) as shipped_quantity,
        min(ordered_at) as copied_at,
        max(received_at) as received_at,
        (array_agg(record_id order by received_at desc, record_id desc))[1] as record_id,
        (array_agg(correlation_id order by received_at desc, record_id desc))[1] as correlation_id,
        max(build_id) as build_id
    from order_lines
    group by owner_system_id, order_name, system_id, order_id
),

final as (
    select
        copied.order_id,
        copied.order_name,
        copied.owner_system_id,
        copied.system_id,
        copied.source_order_id,
        documents.external_ref,
        copied.is_cancelled,
        copied.shipped_quantity,
        documents.currency,
        documents.total_amount,
        documents.order_status,
        copied.copied_at,
        copied.received_at,
        copied.record_id,
        copied.correlation_id,
        greatest(copied.build_id, documents.build_id) as build_id
    from copied
    left join documents
        on copied.system_id = documents.system_id and copied.source_order_id = documents.order_id
)

select * from final
