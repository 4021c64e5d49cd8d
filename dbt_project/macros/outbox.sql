{#- What models of the outbox have in common: when something may be decided, and what is done first. -#}

{#-
Whether the record of a difference was read after our last push to it, as a condition. What was read before that, or
before a push was refused, says nothing about the record now. `difference` and `changes`: names of the query's tables;
`read_started_at`: when the newest read of the record began, null where there was none.
-#}
{% macro is_read_since_our_push(difference, changes, read_started_at) -%}
    not exists (
        select 1
        from {{ changes }} as pushed
        where
            pushed.target_system = {{ difference }}.target_system
            and pushed.record_ref = {{ difference }}.record_ref
            and pushed.entity = {{ difference }}.entity
            and pushed.status in ('applied', 'verified', 'conflicted')
            and greatest(pushed.applied_at, pushed.resolved_at) >= coalesce({{ read_started_at }}, '-infinity')
    )
{%- endmacro %}

{#- A rank from 0 to 999999, the smaller the longer something has waited since `moment`: a minute is one. -#}
{% macro longest_wait_first(moment) -%}
    least(999999, greatest(0, 999999 - extract(epoch from now() - {{ moment }}) / 60))
{%- endmacro %}
