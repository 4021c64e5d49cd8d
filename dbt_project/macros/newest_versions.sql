{#-
CTEs that leave in `newest` the rows of each touched key's current version and, where it is another one, of the version
that was landed last.

Current is the version observed last on the source's clock, never the one that arrived last. A sweep confirms the
version that was landed last when it ended: that one was still true when the sweep began. Of versions observed in the
same second the greater tie_rank counts (staging says which error would be the safer one), then the content's hash.
Where the version landed last was set aside, a sweep confirms that one, which nobody can read, and not the one before it.

`columns`: what the staging models give beyond record_columns(), tie_rank included.
`keeps_all`: leave every version in `newest`. `held_where`: of the rows held already, those that a staging model gave.
-#}
{% macro newest_versions(kind, columns, keeps_all=false, held_where=none) %}
{%- set build = build_state() -%}
{%- set staging_models = staging_models_of(kind) -%}
{%- set scopes = scopes_of(staging_models) -%}
{%- set has_set_aside = scopes | selectattr("has_set_aside") | list | length > 0 -%}
{%- set names = [
    "system_id", "record_id", "source_key", "occurred_at", "received_at", "correlation_id", "payload_hash",
    "is_deleted", "tie_rank",
] + columns -%}
sweeps as (
    {{ sweeps(scopes) }}
),

{%- if has_set_aside %}

set_aside as (
    select
        unread.system_id,
        unread.source_key,
        max(unread.record_id) as record_id
    from staging.set_aside as unread
    inner join sweeps on unread.system_id = sweeps.system_id and unread.received_at <= sweeps.swept_at
    where
        (unread.system_id, unread.stream) in (
            {%- for scope in scopes %}
            ('{{ scope.system_id }}', '{{ scope.stream }}'){{ "," if not loop.last }}
            {%- endfor %}
        )
    group by unread.system_id, unread.source_key
),
{%- endif %}

fresh as (
    {%- for model in staging_models %}
    select {{ names | join(", ") }}
    from {{ ref(model.name) }}
    where {{ in_scope(scopes, not is_part()) }}
    {{ "union all" if not loop.last }}
    {%- endfor %}
),

{%- if is_part() %}

touched_source_keys as (
    select distinct system_id, source_key
    from fresh
    {%- if scopes | selectattr("is_newly_swept") | list %}
    union
    select system_id, source_key
    from {{ this }}
    where is_current <> is_newest
    {%- if has_set_aside %}
    union
    select system_id, source_key
    from set_aside
    {%- endif %}
    {%- endif %}
),

versions as (
    select {{ names | join(", ") }}
    from fresh
    union all
    select {% for name in names %}held.{{ name }}{{ ", " if not loop.last }}{% endfor %}
    from touched_source_keys
    inner join {{ this }} as held
        on touched_source_keys.system_id = held.system_id and touched_source_keys.source_key = held.source_key
    where not exists (
        select 1
        from fresh
        where fresh.system_id = held.system_id and fresh.record_id = held.record_id
    )
    {{ "and " ~ held_where if held_where }}
),
{%- else %}

versions as (
    select {{ names | join(", ") }}
    from fresh
),
{%- endif %}

confirmed as (
    select
        versions.*,
        sweeps.swept_as_of,
        {%- if has_set_aside %}
        greatest(
            max(versions.record_id) over (partition by versions.system_id, versions.source_key), set_aside.record_id
        ) as newest_record_id,
        greatest(
            max(versions.record_id) filter (where versions.received_at <= sweeps.swept_at)
                over (partition by versions.system_id, versions.source_key),
            set_aside.record_id
        ) as confirmed_record_id
        {%- else %}
        max(versions.record_id) over (partition by versions.system_id, versions.source_key) as newest_record_id,
        max(versions.record_id) filter (where versions.received_at <= sweeps.swept_at)
            over (partition by versions.system_id, versions.source_key) as confirmed_record_id
        {%- endif %}
    from versions
    left join sweeps on versions.system_id = sweeps.system_id
    {%- if has_set_aside %}
    left join set_aside
        on versions.system_id = set_aside.system_id and versions.source_key = set_aside.source_key
    {%- endif %}
),

ranked as (
    select
        confirmed.*,
        first_value(confirmed.record_id) over (
            partition by confirmed.system_id, confirmed.source_key
            order by
                case
                    when confirmed.record_id = confirmed.confirmed_record_id
                        then greatest(confirmed.occurred_at, confirmed.swept_as_of)
                    else confirmed.occurred_at
                end desc,
                confirmed.tie_rank desc,
                confirmed.payload_hash desc nulls last,
                confirmed.record_id desc
        ) as current_record_id
    from confirmed
),

newest as (
    select
        {{ names | join(",\n        ") }},
        record_id = current_record_id as is_current,
        record_id = newest_record_id as is_newest
    from ranked
    {{ "where record_id in (current_record_id, newest_record_id)" if not keeps_all }}
)
{%- endmacro %}

{#- What `newest` has of every kind of record, `relation`'s where it is named. -#}
{% macro version_columns(relation=none) %}
{%- set names = [
    "system_id", "source_key", "record_id", "occurred_at", "received_at", "correlation_id", "payload_hash",
    "tie_rank", "is_deleted", "is_current", "is_newest",
] -%}
{%- for name in names -%}
{{ relation ~ "." if relation }}{{ name }}{{ ",\n        " if not loop.last }}
{%- endfor -%}
{%- endmacro %}
