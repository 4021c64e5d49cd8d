{#-
An amount of money as the source has it: numeric, below 1,000,000,000,000 either way, at most six decimals.

No number at all, or one that is too large: the cast fails, and the build sets the record aside.
-#}
{% macro money(expression) -%}
    trim_scale(({{ expression }})::numeric(18, 6))
{%- endmacro %}

{#- One side of Shopify's MoneyBag: `side` is shop or presentment. -#}
{% macro money_bag(object, name, side="shop") -%}
    {{ money(object ~ " #>> '{" ~ name ~ "," ~ side ~ "Money,amount}'") }}
{%- endmacro %}

{#- How much later a version of a Shopify order is than another one that was observed in the same second. -#}
{% macro shopify_order_rank(payload) -%}
    case
            when {{ payload }} is null then 9223372036854775807
            -- An order only goes on: less is left to send, and more payments and refunds stand in it.
            else
                coalesce(jsonb_array_length({{ payload }} -> 'transactions'), 0)
                + coalesce(jsonb_array_length({{ payload }} -> 'refunds'), 0)
                - 1000000 * case
                    when {{ payload }} ->> 'cancelledAt' is not null then 0
                    else (
                        select coalesce(sum({{ quantity("ranked.content ->> 'unfulfilledQuantity'") }}), 0)
                        from jsonb_array_elements({{ payload }} #> '{lineItems,nodes}') as ranked (content)
                    )
                end
        end
{%- endmacro %}

{#- What an amount of an order says of itself; those of goods say how many at which price. -#}
{% macro amount_columns(
    amount_id, line_id, kind, label, is_channel_liable="null::boolean", quantity="null", price="null"
) -%}
    {{ amount_id }} as amount_id,
                {{ line_id }} as line_id,
                {{ kind }} as kind,
                {{ label }} as label,
                {{ is_channel_liable }} as is_channel_liable,
                {{ quantity }}::numeric as quantity,
                {{ price }}::numeric as unit_price_amount
{%- endmacro %}

{#- Both sides of a MoneyBag, the second as the customer sees it. -#}
{% macro both_sides(object, name, sign="") -%}
    {{ sign }}{{ money_bag(object, name) }} as amount,
                {{ sign }}{{ money_bag(object, name, "presentment") }} as presentment_amount
{%- endmacro %}

{#- Whether the channel pays these taxes of Shopify's to the state: null where it pays some of them. -#}
{% macro is_liable(tax_lines) -%}
    (
                    select
                        case
                            when bool_and(coalesce((each.content ->> 'channelLiable')::boolean, false)) then true
                            when not bool_or(coalesce((each.content ->> 'channelLiable')::boolean, false)) then false
                        end
                    from jsonb_array_elements({{ tax_lines }}) as each (content)
                )
{%- endmacro %}

{#- One unit of money in the smallest units that its currency is counted in (ISO 4217): most have a hundred. -#}
{% macro minor_unit(currency) -%}
    case
            when {{ currency }} in (
                'BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF',
                'XPF'
            ) then 1
            when {{ currency }} in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 0.001
            else 0.01
        end
{%- endmacro %}

{#- One of Square's Money objects: whole numbers of the currency's smallest unit. -#}
{% macro square_money(object, name) -%}
    trim_scale(
            ({{ object }} #>> '{{ "{" ~ name ~ ",amount}" }}')::numeric(18, 6)
            * {{ minor_unit(object ~ " #>> '{" ~ name ~ ",currency}'") }}
        )
{%- endmacro %}

{#- The items of a list of a record, none where there is no list. -#}
{% macro items_of(object, name) -%}
    jsonb_array_elements(
                case jsonb_typeof({{ object }} -> '{{ name }}') when 'array' then {{ object }} -> '{{ name }}' end
            )
{%- endmacro %}

{#- How much later a version of a Square order is than another one that was observed in the same second. -#}
{% macro square_order_rank(payload) -%}
    case
            when {{ payload }} is null then 9223372036854775807
            -- Square counts the versions of an order. Where it tells none, an order only goes on: less is left to send.
            else
                1000000 * coalesce(({{ payload }} ->> 'version')::numeric, 0) - case
                    when {{ payload }} ->> 'state' in ('CANCELED', 'DRAFT') then 0
                    else (
                        select coalesce(sum({{ quantity("ranked.content ->> 'quantity'") }}), 0)
                        from {{ items_of(payload, "line_items") }} as ranked (content)
                    ) - (
                        select coalesce(sum({{ quantity("gone.content ->> 'quantity'") }}), 0)
                        from {{ items_of(payload, "fulfillments") }} as ranked (content)
                        cross join lateral {{ items_of("ranked.content", "entries") }} as gone (content)
                        where ranked.content ->> 'state' in ('CANCELED', 'FAILED')
                    )
                end
        end
{%- endmacro %}

{#- How much later a version of a line of a NetSuite order is than another one that was observed in the same second. -#}
{% macro netsuite_order_rank(payload) -%}
    case
            when {{ payload }} ->> 'isclosed' = 'T' or {{ payload }} ->> 'status' in ('C', 'H') then 0
            -- An order only goes on: less is left to ship.
            else
                coalesce(abs({{ quantity(payload ~ " ->> 'quantityshiprecv'") }}), 0)
                - coalesce(abs({{ quantity(payload ~ " ->> 'quantity'") }}), 0)
        end
{%- endmacro %}

{#-
How much later a version of a ShipBob order is than another one that was observed in the same second: an order only goes on,
less is left to ship. Before there is a shipment the order's products are all there is.
-#}
{% macro shipbob_order_rank(payload) -%}
    case
            when {{ payload }} is null or {{ payload }} ->> 'status' = 'Cancelled' then 0
            when coalesce(jsonb_array_length(nullif({{ payload }} -> 'shipments', 'null'::jsonb)), 0) = 0
                then -(
                    select coalesce(sum({{ quantity("ranked.content ->> 'quantity'") }}), 0)
                    from jsonb_array_elements(
                        case jsonb_typeof({{ payload }} -> 'products') when 'array' then {{ payload }} -> 'products' end
                    ) as ranked (content)
                )
            else -(
                select coalesce(sum({{ quantity("ranked.content #>> '{}'") }}), 0)
                from jsonb_path_query(
                    {{ payload }},
                    'lax $.shipments[*] ? (!(@.status == "Completed") && !(@.status == "Cancelled")).products[*]'
                    '.inventory_items[*].quantity'
                ) as ranked (content)
            )
        end
{%- endmacro %}

{#- The items of a ShipBob order's shipments, numbered: `shipment`, `product` and `item` have each its `content`. -#}
{% macro shipbob_items(payload) -%}
    jsonb_array_elements(
                case jsonb_typeof({{ payload }} -> 'shipments') when 'array' then {{ payload }} -> 'shipments' end
            ) with ordinality as shipment (content, number)
        cross join
            lateral jsonb_array_elements(
                case jsonb_typeof(shipment.content -> 'products') when 'array' then shipment.content -> 'products' end
            ) with ordinality as product (content, number)
        cross join
            lateral jsonb_array_elements(
                case
                jsonb_typeof(product.content -> 'inventory_items')
                    when 'array' then product.content -> 'inventory_items'
                end
            ) with ordinality as item (content, number)
{%- endmacro %}

{#- Whether a BigCommerce order is one no more: a cart left at the checkout, cancelled, declined, or archived. -#}
{% macro is_bigcommerce_cancelled(payload) -%}
    (
            coalesce(({{ payload }} ->> 'status_id')::integer in (0, 5, 6), false)
            or coalesce(({{ payload }} ->> 'is_deleted')::boolean, false)
        )
{%- endmacro %}

{#- How much later a version of a BigCommerce order is than another one that was observed in the same second. -#}
{% macro bigcommerce_order_rank(payload) -%}
    case
            when {{ payload }} is null then 9223372036854775807
            -- An order only goes on: less is left to leave, and more payments, refunds and parcels stand in it.
            else
                coalesce(jsonb_array_length({{ payload }} -> 'transactions'), 0)
                + coalesce(jsonb_array_length({{ payload }} -> 'refunds'), 0)
                + coalesce(jsonb_array_length({{ payload }} -> 'shipments'), 0)
                - 1000000 * case
                    when {{ is_bigcommerce_cancelled(payload) }} then 0
                    else (
                        select
                            coalesce(
                                sum(
                                    greatest(
                                        {{ quantity("ranked.content ->> 'quantity'") }}
                                        - coalesce({{ quantity("ranked.content ->> 'quantity_refunded'") }}, 0),
                                        {{ quantity("ranked.content ->> 'quantity_shipped'") }}
                                    )
                                ),
                                0
                            )
                        from jsonb_array_elements({{ payload }} -> 'lines') as ranked (content)
                    )
                end
        end
{%- endmacro %}

{#- One of BigCommerce's amounts, with its tax where prices have it in them and without it where they do not. -#}
{% macro bigcommerce_money(object, name, payload) -%}
    {{ money(
            "case when (" ~ payload ~ " ->> 'is_tax_inclusive_pricing')::boolean then " ~ object ~ " ->> '" ~ name
            ~ "_inc_tax' else " ~ object ~ " ->> '" ~ name ~ "_ex_tax' end"
        ) }}
{%- endmacro %}

{#- The currency that a BigCommerce order is paid in; its amounts are in that. -#}
{% macro bigcommerce_currency(payload) -%}
    coalesce(nullif({{ payload }} ->> 'default_currency_code', ''), {{ payload }} ->> 'currency_code')
{%- endmacro %}

{#- Whether a BigCommerce transaction settles a payment that counts already: a purchase or a capture. -#}
{% macro is_settled_before(step, payload) -%}
    (
            {{ step }} ->> 'event' = 'settled'
            and exists (
                select 1
                from {{ items_of(payload, "transactions") }} as former (content)
                where
                    former.content ->> 'id' = {{ step }} ->> 'reference_transaction_id'
                    and former.content ->> 'event' in ('purchase', 'capture')
                    and former.content ->> 'status' = 'ok'
            )
        )
{%- endmacro %}
