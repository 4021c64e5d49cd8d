{#-
A quantity as the source has it, fractions kept: numeric with at most six decimals.

Below or above a thousand million, not a number, or no number at all: the cast fails, and the build sets the record
aside. Sums of such values are numeric too, so none of them is too large. More decimals are the noise of binary
fractions (Tryton's 0.30000000000000004), hence rounded to the nearest and not downwards.
-#}
{% macro quantity(expression) -%}
    trim_scale(round(({{ expression }})::staging.quantity, 6))
{%- endmacro %}

{#-
A time as the source has it; the cast fails where no calendar has it, or not every reader of the tables can hold it.

Contracts let a time without its zone pass: it is UTC, whatever the time zone of the server.
-#}
{% macro moment(text) -%}
    (
            case
                when {{ text }} ~* ':[0-9]{2}([.,][0-9]+)? ?(z|[+-][0-9]{2}(:?[0-9]{2})?)$' then ({{ text }})::timestamptz
                else ({{ text }})::timestamp at time zone 'UTC'
            end
        )::staging.moment::timestamptz
{%- endmacro %}
