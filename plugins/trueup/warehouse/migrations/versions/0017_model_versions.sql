-- Which version of each model made the warehouse's tables: a deployment makes anew what has become another, and no more.
alter table staging.build_state add column model_versions jsonb;
comment on column staging.build_state.model_versions is
    'Model to the hash of what decides its rows. Null: made before this was noted, so every table is made anew once.';
