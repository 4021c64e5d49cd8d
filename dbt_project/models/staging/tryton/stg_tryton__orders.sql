with records as (
    {{ raw_records("tryton", "orders") }}
),

-- Left join, so that a deleted sale and one without lines still leave a row of their key.
lines as (
    select
        {{ record_columns() }},
        {{ tryton_order_rank("records.payload") }} as tie_rank,
        {{ tryton_is_cancelled("records.payload") }} as is_cancelled,
        records.payload ->> 'id' as order_id,
        coalesce(nullif(records.payload ->> 'number', ''), 'sale.sale,' || (records.payload ->> 'id'))
            as own_order_name,
        nullif(records.payload ->> 'reference', '') as origin_order_name,
        records.payload #>> '{web_shop,name}' as origin_system_id,
        records.payload ->> 'warehouse' as sale_warehouse,
        records.payload ->> 'state' as state,
        (
            make_timestamptz(
                (records.payload #>> '{create_date,year}')::integer,
                (records.payload #>> '{create_date,month}')::integer,
                (records.payload #>> '{create_date,day}')::integer,
                (records.payload #>> '{create_date,hour}')::integer,
                (records.payload #>> '{create_date,minute}')::integer,
                (records.payload #>> '{create_date,second}')::double precision,
                'UTC'
            )
        )::staging.moment::timestamptz as ordered_at,
        line.content as line,
        -- From the unit that was sold to the product's own, in which stock is kept.
        coalesce((line.content #>> '{unit,factor}')::staging.quantity, 1)
        / coalesce(nullif((line.content #>> '{product,default_uom,factor}')::staging.quantity, 0), 1) as units_each
    from records
    left join lateral jsonb_array_elements(records.payload -> 'lines') as line (content)
        on
            line.content ->> 'type' = 'line'
            and line.content #>> '{product,id}' is not null
            and not {{ tryton_is_no_order("records.payload") }}
),

-- Done moves have left; an ignored one is a shipment that somebody decided never to make.
moved as (
    select
        lines.*,
        coalesce(
            (
                select
                    sum({{ tryton_units("move.content", "(lines.line -> 'product')") }})
                from jsonb_array_elements(lines.line -> 'moves') as move (content)
                where move.content ->> 'state' = 'done'
            ),
            0
        ) as done_quantity,
        coalesce(
            (
                select
                    sum({{ tryton_units("move.content", "(lines.line -> 'product')") }})
                from jsonb_array_elements(lines.line -> 'moves') as move (content)
                where lines.line -> 'moves_ignored' @> (move.content -> 'id')
            ),
            0
        ) as ignored_quantity
    from lines
),

typed as (
    select
        moved.system_id,
        moved.record_id,
        moved.source_key,
        moved.occurred_at,
        moved.received_at,
        moved.correlation_id,
        moved.payload_hash,
        moved.is_deleted,
        moved.tie_rank,

        ---------- ids
        moved.order_id,
        moved.own_order_name,
        moved.origin_order_name,
        moved.origin_system_id,
        coalesce(moved.line ->> 'id', '') as line_id,
        moved.line #>> '{product,id}' as source_item_id,
        moved.line #>> '{product,code}' as source_code,
        coalesce(moved.line ->> 'warehouse', moved.sale_warehouse) as source_location_id,

        ---------- numerics
        -- A line below zero is a return: it holds nothing.
        greatest(coalesce({{ quantity("(moved.line ->> 'quantity')::staging.quantity * moved.units_each") }}, 0), 0)
            as ordered_quantity,
        moved.done_quantity as shipped_quantity,
        moved.ignored_quantity,

        ---------- booleans
        moved.is_cancelled,
        coalesce(moved.state in ('confirmed', 'processing'), false) as is_holding,
        coalesce(moved.state = 'done', false) as is_done,

        ---------- timestamps
        moved.ordered_at
    from moved
),

committed as (
    select
        typed.*,
        -- A draft or a quotation holds nothing yet; what a finished sale did not ship it never will.
        case
            when typed.is_holding then greatest(typed.ordered_quantity - typed.ignored_quantity, 0)
            when typed.is_done then least(typed.ordered_quantity, typed.shipped_quantity)
            else 0
        end as committed_quantity
    from typed
),

final as (
    select
        committed.system_id,
        committed.record_id,
        committed.source_key,
        committed.occurred_at,
        committed.received_at,
        committed.correlation_id,
        committed.payload_hash,
        committed.is_deleted,
        committed.tie_rank,
        committed.order_id,
        committed.own_order_name,
        committed.origin_order_name,
        committed.origin_system_id,
        committed.line_id,
        committed.source_item_id,
        committed.source_code,
        committed.source_location_id,
        committed.ordered_quantity,
        committed.committed_quantity,
        committed.shipped_quantity,
        committed.is_cancelled,
        committed.ordered_at
    from committed
)

select * from final
