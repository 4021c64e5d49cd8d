-- What this database's roles are called: a copy of it has others, and functions look here.
create table governance.roles (
    purpose text primary key,
    role_name name not null
);
comment on table governance.roles is
    'The roles of this database; written by every migration. `trueup_acme_analyst` is what a person who reads is given.';
grant select on governance.roles
to trueup_configurator, trueup_loader, trueup_transformer, trueup_proposer, trueup_operator;

-- Configurator: applies the tenant's files, prunes what is past its retention.
grant usage on schema governance, audit, gates to trueup_configurator;
grant select, insert, delete on
governance.systems, governance.locations, governance.channels, governance.channel_locations, governance.channel_rules,
governance.sku_aliases, governance.non_stock_codes
to trueup_configurator;
grant select, delete on gates.results, audit.dbt_runs, audit.landings to trueup_configurator;
grant select on governance.declarations to trueup_configurator;

-- Tables of a handful of rows, which autovacuum never looks at; only an owner may analyze.
create function governance.analyze_configuration() returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
    analyze governance.systems, governance.locations, governance.channels, governance.channel_locations,
    governance.channel_rules, governance.sku_aliases, governance.non_stock_codes
$$;
revoke all on function governance.analyze_configuration() from public;
grant execute on function governance.analyze_configuration() to trueup_configurator;

-- Proposer: reads what was built and validated, writes corrections and holds. It decides on none.
grant usage on schema raw, governance, canonical, marts, gates, outbox, audit, exceptions to trueup_proposer;
grant select on all tables in schema governance, canonical, marts, gates, outbox, audit, exceptions to trueup_proposer;
grant select on raw.stream_positions to trueup_proposer;
grant insert, update on exceptions.queue to trueup_proposer;
alter default privileges for role trueup_transformer in schema canonical, marts, outbox
grant select on tables to trueup_proposer;

-- Operator: a gate's verdict is not taken back row by row, and nothing is proposed by who decides.
revoke update on gates.quarantine from trueup_operator;
revoke update on gates.stops from trueup_operator;
grant update (released_at) on gates.stops to trueup_operator;
