{#- One of the amounts of a Vendure order: whole numbers of which the server says how many digits are decimals. -#}
{% macro vendure_money(object, name, order="records.payload") -%}
    trim_scale(
            ({{ object }} ->> '{{ name }}')::numeric(18, 6) / power(10::numeric, ({{ order }} ->> 'moneyPrecision')::integer)
        )
{%- endmacro %}

{#- The same amount with its tax where the channel's prices have it, else without: the side that discounts are told of. -#}
{% macro vendure_price(object, name, order="records.payload") -%}
    case
            when ({{ order }} ->> 'pricesIncludeTax')::boolean then {{ vendure_money(object, name ~ "WithTax", order) }}
            else {{ vendure_money(object, name, order) }}
        end
{%- endmacro %}

{#- The tax in an amount: what it is more with tax than without. -#}
{% macro vendure_tax(object, name, order="records.payload") -%}
    ({{ vendure_money(object, name ~ "WithTax", order) }} - {{ vendure_money(object, name, order) }})
{%- endmacro %}

{#- Tracking numbers of a parcel: Vendure has one text for them. -#}
{% macro vendure_numbers(tracking_code) -%}
    regexp_split_to_table({{ tracking_code }}, '\s*[,;]\s*')
{%- endmacro %}

{#-
How much later a version of a Vendure order is than another one that was observed in the same second. Its updatedAt moves
when its lines do; of payments, refunds and fulfilments there only come more, and each goes on.
-#}
{% macro vendure_order_rank(payload) -%}
    case
            when {{ payload }} is null then 9223372036854775807
            else
                -- Thousandths of a second; the rest is below one of them.
                floor(extract(epoch from {{ moment(payload ~ " ->> 'updatedAt'") }}) * 1000)
                + (
                    (
                        select
                            count(*) + count(*) filter (where paid.content ->> 'state' <> 'Authorized')
                            + coalesce(sum(back.steps), 0)
                        from {{ items_of(payload, "payments") }} as paid (content)
                        cross join lateral (
                            select count(*) + count(*) filter (where step.content ->> 'state' <> 'Pending') as steps
                            from {{ items_of("paid.content", "refunds") }} as step (content)
                        ) as back
                    )
                    + (
                        select
                            coalesce(
                                sum(
                                    1 + case sent.content ->> 'state'
                                        when 'Shipped' then 1
                                        when 'Delivered' then 2
                                        when 'Cancelled' then 3
                                        else 0
                                    end
                                ),
                                0
                            )
                        from {{ items_of(payload, "fulfillments") }} as sent (content)
                    )
                )
                / 100000.0
                - case
                    when {{ payload }} ->> 'state' = 'Cancelled' then 0
                    else (
                        select coalesce(sum({{ quantity("ranked.content ->> 'quantity'") }}), 0)
                        from {{ items_of(payload, "lines") }} as ranked (content)
                    )
                end
                / 100000000000000000000.0
        end
{%- endmacro %}
