{#- Units of a Tryton record in the product's own unit: `item` has `quantity` and `unit`, `product` its `default_uom`. -#}
{% macro tryton_units(item, product) -%}
    {{ quantity(
        "(" ~ item ~ " ->> 'quantity')::staging.quantity"
        ~ " * coalesce((" ~ item ~ " #>> '{unit,factor}')::staging.quantity, 1)"
        ~ " / coalesce(nullif((" ~ product ~ " #>> '{default_uom,factor}')::staging.quantity, 0), 1)"
    ) }}
{%- endmacro %}

{#- A day as Tryton's REST interface writes it: an object of its parts. -#}
{% macro tryton_day(value) -%}
    make_date(
        ({{ value }} ->> 'year')::integer, ({{ value }} ->> 'month')::integer, ({{ value }} ->> 'day')::integer
    )
{%- endmacro %}

{#- A decimal as Tryton's REST interface writes it: an object with its text. -#}
{% macro tryton_amount(payload, name) -%}
    {{ money(payload ~ " #>> '{" ~ name ~ ",decimal}'") }}
{%- endmacro %}

{#-
Whether a Tryton sale is no order: a copy of a channel's order that nobody has confirmed, which holds nothing and commits
nobody, or a sale of less than nothing, which takes goods back.
-#}
{% macro tryton_is_no_order(payload) -%}
    coalesce(
            {{ payload }} ->> 'state' in ('draft', 'quotation') and {{ payload }} #>> '{web_shop,id}' is not null
            or {{ tryton_amount(payload, "total_amount") }} < 0,
            false
        )
{%- endmacro %}

{#- Whether nothing of a Tryton sale is left: it was cancelled, or an amendment has taken all of its lines down to none. -#}
{% macro tryton_is_cancelled(payload) -%}
    coalesce(
            {{ payload }} ->> 'state' = 'cancelled'
            or {{ payload }} ->> 'state' in ('processing', 'done')
            and {{ payload }} @? '$.lines[*] ? (@.type == "line")'
            and not {{ payload }} @? '$.lines[*] ? (@.type == "line" && @.quantity != 0)',
            false
        )
{%- endmacro %}

{#- How much later a version of a Tryton sale is than another one that was observed in the same second. -#}
{% macro tryton_order_rank(payload) -%}
    case
            when {{ tryton_is_cancelled(payload) }} then 0
            -- An order only goes on: less is left to ship.
            else (
                select
                    coalesce(
                        sum(
                            coalesce(left_units.quantity, 0)
                            - greatest(coalesce({{ tryton_units("ranked.content", "(ranked.content -> 'product')") }}, 0), 0)
                        ),
                        0
                    )
                from jsonb_array_elements({{ payload }} -> 'lines') as ranked (content)
                left join lateral (
                    select sum({{ tryton_units("moved.content", "(ranked.content -> 'product')") }}) as quantity
                    from jsonb_array_elements(ranked.content -> 'moves') as moved (content)
                    where moved.content ->> 'state' = 'done'
                ) as left_units on true
                where ranked.content ->> 'type' = 'line' and ranked.content #>> '{product,id}' is not null
            )
        end
{%- endmacro %}
