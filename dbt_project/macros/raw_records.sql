{#-
All records of one stream of a connector, over every system of the tenant that speaks it.

A tenant without the connector, a system without the stream and a stream that was never landed give no rows, typed.

source_key is compared byte by byte (collate "C"), which is fast but spreads: an id made of it would no longer find an
index on ids of another collation. Ids are made of key_text.
-#}
{% macro raw_records(connector, stream) %}
    {%- set tables = [] -%}
    {%- if execute -%}
        {%- for system_id in var("systems").get(connector, []) -%}
            {%- set name = system_id ~ "__" ~ stream -%}
            {%- set found = run_query("select to_regclass('raw." ~ name ~ "') is not null").rows[0][0] -%}
            {%- if found -%}
                {%- do tables.append({"system_id": system_id, "name": name}) -%}
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
