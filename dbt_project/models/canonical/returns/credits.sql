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

-- Whose order it is: what the record says; else the only owner of an order of that name that its system has.
owned as (
    select
        documents.*,
        coalesce(hinted.system_id, known.owner_system_id) as owner_system_id
    from documents
    left join lateral (
        select min(named.system_id) as system_id
        from (
            select systems.system_id
            from systems
            where systems.system_id = documents.origin_system_id
            union all
            select channels.system_id
            from channels
            where
                channels.channel = documents.origin_system_id
                and not exists (
                    select 1 from systems
                    where systems.system_id = documents.origin_system_id
                )
        ) as named
    ) as hinted on true
    left join lateral (
        select
            case
                when count(distinct order_lines.owner_system_id) = 1 then min(order_lines.owner_system_id)
            end as owner_system_id
        from order_lines
        where
            order_lines.order_name = documents.origin_order_name
            and order_lines.system_id = documents.system_id
            and hinted.system_id is null
    ) as known on true
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
