{#- Whether a newer version of the stock level of a line's SKU at a location of its system was set aside. -#}
{% macro has_unread_version(lines, locations) -%}
    (
                            exists (
                                select 1
                                from {{ source("staging", "set_aside") }} as unread
                                where unread.system_id = {{ lines }}.system_id and unread.stream = 'stock_levels'
                            )
                            and exists (
                                select 1
                                from {{ ref("int_item_skus") }} as unread_items
                                inner join {{ ref("int_source_stock") }} as unread_stock
                                    on
                                        unread_items.system_id = unread_stock.system_id
                                        and unread_items.source_stock_item_id = unread_stock.source_item_id
                                where
                                    unread_items.sku = {{ lines }}.sku
                                    and unread_items.system_id = {{ lines }}.system_id
                                    and unread_stock.source_location_id = {{ locations }}.source_location_id
                                    and unread_stock.is_current
                                    and not unread_stock.is_newest
                            )
                        )
{%- endmacro %}
