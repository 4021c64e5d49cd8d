{#-
How every incremental model is materialized: a part of the table is made equal to what the model selected.

What else the changes reach is asked first: a model of which nothing is reached is not even planned, which for the last
ones of the line, made of views over views, is most of the time of a small build. Then in one round trip the planner's
settings (which is all that a pre-hook holds), the selection, the comparison and the writing. dbt's own materialization asks for the columns of
both tables each time, and checks the contract of a model that is the same as when it made the table; that was half of
the time of a small build. A model that has become another is never run this way (trueup.transform.versions).
-#}
{% materialization incremental, adapter="postgres" %}
    {%- set held = load_cached_relation(this) -%}
    {%- if held is none or not held.is_table or should_full_refresh() -%}
        {{- return(dbt.materialization_incremental_default()) -}}
    {%- endif -%}
    {%- set target = this.incorporate(type="table") -%}
    {%- set selected = make_temp_relation(target) -%}
    {%- if is_reached() -%}
    {%- call statement("main") -%}
        {{ steer_planner() }};

        create temporary table {{ selected }} on commit drop as (
            {{ sql }}
        );

        {{ get_incremental_ledger_sql({"target_relation": target, "temp_relation": selected}) }}
    {%- endcall -%}
    {%- else -%}
    {%- call noop_statement("main", "NOTHING REACHED") -%}{%- endcall -%}
    {%- endif -%}
    {%- do adapter.commit() -%}
    {{- return({"relations": [target]}) -}}
{% endmaterialization %}
