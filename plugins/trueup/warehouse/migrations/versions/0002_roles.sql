-- What each role may do. The roles themselves are the cluster's: warehouse/rights.py makes them before any migration.

-- Loader: appends facts and what it saw of them; changes nothing that was landed.
grant usage, create on schema raw to trueup_loader;
grant usage on schema governance, audit, exceptions to trueup_loader;
grant select on all tables in schema governance to trueup_loader;
grant select, insert, update on raw.stream_positions to trueup_loader;
grant select, insert on audit.landings, audit.events to trueup_loader;
grant select, insert, update on audit.drifts to trueup_loader;
grant select, insert, update on exceptions.queue to trueup_loader;

-- Transformer: reads raw, owns what dbt builds, writes the gates' verdicts.
grant usage on schema raw, governance, exceptions, audit, outbox to trueup_transformer;
grant usage, create on schema staging, canonical, marts, gates, outbox to trueup_transformer;
grant select on all tables in schema raw, governance, outbox, gates, audit to trueup_transformer;
grant select, insert, update, delete on staging.build_scope to trueup_transformer;
grant select, insert, update on audit.builds, gates.results, gates.quarantine, gates.stops to trueup_transformer;
grant select, insert on audit.events, audit.dbt_runs to trueup_transformer;
grant select, insert, update on exceptions.queue to trueup_transformer;

-- Operator: decides, corrects, works the queue; reads everything.
grant usage on schema raw, governance, staging, canonical, marts, gates, outbox, audit, exceptions to trueup_operator;
grant select on all tables in schema raw, governance, staging, gates, outbox, audit, exceptions to trueup_operator;
grant insert, update on outbox.corrections, outbox.kill_switches, outbox.holds to trueup_operator;
grant delete on outbox.kill_switches to trueup_operator;
grant insert on outbox.receipts, outbox.read_backs, audit.events to trueup_operator;
grant insert, update on exceptions.queue to trueup_operator;
grant update on gates.quarantine, gates.stops to trueup_operator;
alter default privileges for role trueup_transformer in schema staging, canonical, marts, outbox, gates
grant select on tables to trueup_operator;

-- Analyst: canonical and marts, read only.
grant usage on schema canonical, marts to trueup_analyst;
alter default privileges for role trueup_transformer in schema canonical, marts grant select on tables to trueup_analyst;
