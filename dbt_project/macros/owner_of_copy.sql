{#-
Whose order a copy is: what it says; else, of the systems in `names` that have an order of its name, the only one. Of
none, and it is the system's own; of several, and it is one of theirs (null), so it must not be held a second time.
-#}
{% macro owner_of_copy(lines, names) -%}
case
            when {{ lines }}.hinted_system_id is not null then {{ lines }}.hinted_system_id
            when {{ lines }}.origin_order_name is null or {{ names }}.system_count is null then {{ lines }}.system_id
            when {{ names }}.system_count = 1 then {{ names }}.system_id
        end
{%- endmacro %}

{#-
Records that name an order (origin_order_name, origin_system_id, system_id), each with the order's owner_system_id: what
the record says, a system or one of its channels; else the only owner of an order of that name that its system has.
`rows`: such a relation, beside which the query has systems, channels and order_lines.
-#}
{% macro with_named_owner(rows) -%}
select
        {{ rows }}.*,
        coalesce(hinted.system_id, known.owner_system_id) as owner_system_id
    from {{ rows }}
    left join lateral (
        select min(named.system_id) as system_id
        from (
            select systems.system_id
            from systems
            where systems.system_id = {{ rows }}.origin_system_id
            union all
            select channels.system_id
            from channels
            where
                channels.channel = {{ rows }}.origin_system_id
                and not exists (
                    select 1 from systems
                    where systems.system_id = {{ rows }}.origin_system_id
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
            order_lines.order_name = {{ rows }}.origin_order_name
            and order_lines.system_id = {{ rows }}.system_id
            and hinted.system_id is null
    ) as known on true
{%- endmacro %}
