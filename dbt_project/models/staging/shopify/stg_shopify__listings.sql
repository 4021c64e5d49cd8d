{%- set quantities = {
    "available": "shown_available_quantity", "on_hand": "shown_on_hand_quantity", "committed": "allocated_quantity",
} %}

with records as (
    {{ raw_records("shopify", "listings") }}
),

final as (
    select
        {{ record_columns() }},
        -- updatedAt stands still when an order takes stock, so two answers of one second are distinguished by their
        -- order of arrival alone: what was shown last is by nature what was seen last.
        records.record_id as tie_rank,

        ---------- ids
        coalesce(records.payload #>> '{item,id}', split_part(records.key_text, '|', 1)) as source_stock_item_id,
        coalesce(records.payload #>> '{location,id}', split_part(records.key_text, '|', 2)) as source_location_id,
        records.key_text as channel_record_id,

        ---------- numerics
        {%- for name, column in quantities.items() %}
        {{ quantity(
            "jsonb_path_query_first(records.payload, '$.quantities[*] ? (@.name == \"" ~ name ~ "\").quantity') #>> '{}'"
        ) }} as {{ column }},
        {%- endfor %}

        ---------- booleans
        coalesce((records.payload #>> '{item,tracked}')::boolean, false) as is_tracked
    from records
)

select * from final
