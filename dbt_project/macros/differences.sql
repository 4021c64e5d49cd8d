{#- What models of what stands wrong have in common: what a change that was decided says of it, and its ages. -#}

{#-
The branches of a `case` for the cause of what a change is under way for, or was refused. `row` has its status,
receipt_outcome and proposed_at.
-#}
{% macro causes_of_change(row) -%}
    when {{ row }}.status = 'rejected' then 'downstream_rejection'
            when {{ row }}.status = 'exhausted'
                then case when {{ row }}.receipt_outcome = 'rejected' then 'downstream_rejection' else 'api_timeout' end
            when
                {{ row }}.status in ('proposed', 'claimed', 'sent', 'pending')
                and {{ row }}.receipt_outcome in ('unknown', 'retry')
                then 'api_timeout'
            when
                {{ row }}.status in ('proposed', 'held')
                and {{ row }}.proposed_at < now() - make_interval(secs => {{ var("backlog_seconds") }})
                then 'queue_backlog'
            when {{ row }}.status in ('proposed', 'held', 'claimed', 'sent', 'pending', 'applied') then 'in_flight'
{%- endmacro %}

{#-
How old a difference is by now, in seconds: between its record and the build that first saw it, and since a change was
proposed. `row` has difference_version, received_at, status and proposed_at; `held` what the table holds so far.
-#}
{% macro ages_of_difference(row, held) -%}
    0::double precision as age_landing_seconds,
        case
            when {{ held }}.facts_version = {{ row }}.difference_version then {{ held }}.age_build_seconds
            else greatest(0, extract(epoch from now() - {{ row }}.received_at))::double precision
        end as age_build_seconds,
        case
            when {{ row }}.status in ('proposed', 'held', 'claimed', 'sent', 'pending', 'applied')
                then extract(epoch from clock_timestamp() - {{ row }}.proposed_at)::double precision
        end as age_queue_seconds
{%- endmacro %}
