{#-
How every incremental model is materialized: a part of the table is made equal to what the model selected.

One round trip a model: what else its changes reach, the planner's settings (which is all that a pre-hook holds), the
selection, the comparison and the writing. dbt's own materialization asks for the columns of
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
    {%- call statement("main") -%}
        {{ expand_changed_keys() if not build_state().is_full }}
        {{ steer_planner() }};

        create temporary table {{ selected }} on commit drop as (
            {{ sql }}
        );

        {{ get_incremental_ledger_sql({"target_relation": target, "temp_relation": selected}) }}
    {%- endcall -%}
    {%- do adapter.commit() -%}
    {{- return({"relations": [target]}) -}}
{% endmaterialization %}
