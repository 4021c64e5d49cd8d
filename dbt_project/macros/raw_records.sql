{#-
All records of one stream of a connector, over every system of the tenant that speaks it.

A tenant without the connector, a system without the stream and a stream that was never landed give no rows, typed.
Records that a build set aside are left out as literals: a filter of the table itself, and so applied before any cast
is tried. Where there are none, nothing is asked at run time.

source_key is compared byte by byte (collate "C"), which is fast but spreads: an id made of it would no longer find an
index on ids of another collation. Ids are made of key_text.
-#}
{% macro raw_records(connector, stream) %}
    {%- set tables = [] -%}
    {%- if execute -%}
        {%- for system_id in var("systems").get(connector, []) -%}
            {%- set name = system_id ~ "__" ~ stream -%}
            {%- set found = run_query(
                "select to_regclass('raw." ~ name ~ "') is not null, (select string_agg(record_id::text, ',' order by"
                ~ " record_id) from staging.set_aside where system_id = '" ~ system_id ~ "' and stream = '" ~ stream
                ~ "')"
            ).rows[0] -%}
            {%- if found[0] -%}
                {%- do tables.append({"system_id": system_id, "name": name, "set_aside": found[1]}) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {%- for table in tables %}
        select
            '{{ table.system_id }}'::text as system_id,
            record_id,
            source_key,
            source_key collate "default" as key_text,
            coalesce(occurred_at, '-infinity'::timestamptz) as occurred_at,
            received_at,
            correlation_id,
            payload_hash,
            payload
        from raw.{{ table.name }}
        {%- if table.set_aside %}
        where record_id <> all('{{ "{" ~ table.set_aside ~ "}" }}'::bigint [])
        {%- endif %}
        {{ "union all" if not loop.last }}
    {%- else %}
        select
            null::text as system_id,
            null::bigint as record_id,
            null::text as source_key,
            null::text as key_text,
            null::timestamptz as occurred_at,
            null::timestamptz as received_at,
            null::uuid as correlation_id,
            null::bytea as payload_hash,
            null::jsonb as payload
        where false
    {%- endfor %}
{% endmacro %}

{#- What every staging model selects first, from a relation of raw_records. -#}
{% macro record_columns() -%}
    records.system_id,
    records.record_id,
    records.source_key,
    records.occurred_at,
    records.received_at,
    records.correlation_id,
    records.payload_hash,
    records.payload is null as is_deleted
{%- endmacro %}

{#-
Of two versions of a movement of one second, the one to believe: deleted before anything else, for then less is in stock
or more is promised; else the one that was changed later, where the system tells.
-#}
{% macro movement_tie_rank(relation) -%}
    case
        when {{ relation }}.is_deleted then 9223372036854775807
        else coalesce(extract(epoch from {{ relation }}.modified_at)::bigint, 0)
    end
{%- endmacro %}

{#- A datetime as Tryton's REST interface writes it: an object of its parts, in UTC. -#}
{% macro tryton_time(value) -%}
    make_timestamptz(
        ({{ value }} ->> 'year')::integer,
        ({{ value }} ->> 'month')::integer,
        ({{ value }} ->> 'day')::integer,
        ({{ value }} ->> 'hour')::integer,
        ({{ value }} ->> 'minute')::integer,
        ({{ value }} ->> 'second')::double precision,
        'UTC'
    )
{%- endmacro %}
