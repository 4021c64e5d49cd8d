with documents as not materialized (
    select * from {{ ref("int_credits") }}
    where is_current and not is_deleted and not is_void
),

systems as not materialized (
    select * from {{ source("governance", "systems") }}
),

channels as not materialized (
    select * from {{ source("governance", "channels") }}
),

order_lines as not materialized (
    select * from {{ ref("int_owned_order_lines") }}
),

owned as (
    {{ with_named_owner("documents") }}
),

final as (
    select
        system_id || '|' || credit_id as credit_id,
        owner_system_id || '|' || origin_order_name as order_id,
        origin_order_name as order_name,
        owner_system_id,
        -- Ours name the refund that they are of.
        case when external_ref like 'trueup:%' then substr(external_ref, 8) end as refund_id,
        system_id as source_system_id,
        credit_id as source_credit_id,
        credit_name,
        external_ref,
        made_from_id,
        currency,
        credited_amount,
        booked_on,
        credited_at,
        received_at,
        record_id,
        correlation_id,
        build_id
    from owned
)

select * from final
