-- What all workers on all hosts share about the systems they speak to.
create schema connectors;

-- One row a quota, by its kind and owner; the arithmetic is the connectors'. Room in every page: rows change in place.
create table connectors.quotas (
    kind text not null,
    owner text not null,
    state jsonb not null,
    changed_at timestamptz not null default clock_timestamp(),
    primary key (kind, owner)
) with (fillfactor = 50);

-- Refresh tokens that a vendor replaces at every use, sealed with a key that stands in the Airflow connection only.
-- A page for each: the next version of a row finds its room there, also on a disk that has become full meanwhile.
create table connectors.secrets (
    name text primary key,
    content bytea,
    reserve bytea,
    attempted_at timestamptz not null default clock_timestamp(),
    changed_at timestamptz
) with (fillfactor = 10);
alter table connectors.secrets alter column content set storage plain;
alter table connectors.secrets alter column reserve set storage plain;

-- Who speaks to systems: the loader reads, the operator writes. Nobody else may look.
grant usage on schema connectors to trueup_loader, trueup_operator;
grant select, insert, update on connectors.quotas, connectors.secrets to trueup_loader, trueup_operator;
