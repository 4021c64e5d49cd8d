with records as (
    {{ raw_records("tryton", "returns") }}
),

-- Left joins, so that a return that is gone and one without goods still leave a row of their key.
parts as (
    select
        {{ record_columns() }},
        records.key_text,
        records.payload,
        move.content as move,
        {{ tryton_units("move.content", "(move.content -> 'product')") }} as quantity,
        original.content as original
    from records
    left join lateral jsonb_array_elements(records.payload -> 'incoming_moves') as move (content)
        on move.content ->> 'state' <> 'cancelled' or records.payload ->> 'state' = 'cancelled'
    left join lateral (
        select sale.content
        from jsonb_array_elements(records.payload -> 'original_sales') as sale (content)
        where move.content #>> '{sale,origin}' = 'sale.sale,' || (sale.content ->> 'id')
    ) as original on true
),

-- What went on to the shelves is told by product: lines of one product are filled one after the other.
shelved as (
    select
        parts.*,
        case when parts.move ->> 'state' = 'done' then parts.quantity else 0 end as received_quantity,
        coalesce(
            (
                select sum({{ tryton_units("inner_move.content", "(inner_move.content -> 'product')") }})
                from jsonb_array_elements(parts.payload -> 'inventory_moves') as inner_move (content)
                where
                    inner_move.content ->> 'state' = 'done'
                    and inner_move.content #> '{product,id}' = parts.move #> '{product,id}'
            ),
            0
        ) as shelved_quantity
    from parts
),

filled as (
    select
        shelved.*,
        greatest(
            least(
                shelved.received_quantity,
                shelved.shelved_quantity - coalesce(
                    sum(shelved.received_quantity) over (
                        partition by shelved.system_id, shelved.record_id, shelved.move #> '{product,id}'
                        order by (shelved.move ->> 'id')::bigint
                        rows between unbounded preceding and 1 preceding
                    ),
                    0
                )
            ),
            0
        ) as restocked_quantity
    from shelved
),

final as (
    select
        filled.system_id,
        filled.record_id,
        filled.source_key,
        filled.occurred_at,
        filled.received_at,
        filled.correlation_id,
        filled.payload_hash,
        filled.is_deleted,
        -- A return only goes on: of two answers of one second the one with more received is the later.
        coalesce(
            sum(filled.received_quantity + filled.restocked_quantity) over (
                partition by filled.system_id, filled.record_id
            ),
            0
        ) as tie_rank,

        ---------- ids
        coalesce(filled.payload ->> 'id', filled.key_text) as return_id,
        coalesce(filled.payload ->> 'number', filled.payload ->> 'id') as return_name,
        coalesce(filled.move ->> 'id', '') as return_part_id,
        coalesce(filled.original ->> 'id', filled.move #>> '{sale,id}') as order_id,
        coalesce(nullif(filled.original ->> 'reference', ''), nullif(filled.move #>> '{sale,reference}', ''))
            as origin_order_name,
        coalesce(filled.original #>> '{web_shop,name}', filled.move #>> '{sale,web_shop,name}') as origin_system_id,
        null::text as line_id,
        filled.move #>> '{product,id}' as source_item_id,

        ---------- numerics
        coalesce(filled.quantity, 0) as announced_quantity,
        coalesce(filled.received_quantity, 0) as received_quantity,
        coalesce(filled.restocked_quantity, 0) as restocked_quantity,
        0::numeric as exchanged_quantity,

        ---------- states
        case
            -- Received goods wait in the input zone until somebody has dealt with them.
            when coalesce(filled.payload ->> 'state', '') <> 'done' or filled.received_quantity = 0 then null
            when filled.restocked_quantity = 0 then 'not_restocked'
            when filled.restocked_quantity < filled.received_quantity then 'mixed'
            else 'restocked'
        end as disposition,
        case filled.payload ->> 'state'
            when 'cancelled' then 'cancelled'
            when 'done' then 'closed'
            when 'draft' then 'open'
            when 'received' then 'open'
        end as return_status,

        ---------- timestamps
        {{ tryton_time("(filled.payload -> 'create_date')") }} as announced_at,
        case
            when filled.received_quantity > 0
                then
                    coalesce(
                        {{ tryton_time("(filled.move -> 'write_date')") }},
                        {{ tryton_time("(filled.payload -> 'write_date')") }}
                    )
        end as arrived_at
    from filled
)

select * from final
