-- What a build is told before it runs, and what it leaves behind for the next.
alter table staging.build_scope add column from_swept_as_of timestamptz;
alter table staging.build_scope add column swept_at timestamptz;
comment on column staging.build_scope.from_swept_as_of is
    'The sweep that the last successful build knew of; a newer one is a fact of its own.';
comment on column staging.build_scope.swept_at is
    'Our clock when that sweep ended: it confirmed the newest record that had been received by then.';

-- One row: the build that runs (or ran last) and what the last successful one was made from.
create table staging.build_state (
    is_only boolean primary key default true check (is_only),
    build_id bigint not null default 0,
    since_build_id bigint not null default 0,
    is_full boolean not null default true,
    is_marts_full boolean not null default true,
    deployed_hash text,
    views_hash text,
    structure_hash text,
    declaration_id bigint,
    outbox_marker text
);
comment on column staging.build_state.since_build_id is
    'The last build that succeeded: rows with a greater build_id were written since, by this build or one that died.';
comment on column staging.build_state.outbox_marker is
    'What the last successful build saw of corrections, quarantine and stops, as a hash.';
insert into staging.build_state default values;

-- Which keys the builds since the last successful one have changed, old and new value alike, written in the
-- transaction of the change: what depends on them is recomputed even after a kill between two models.
create table staging.touched_keys (
    build_id bigint not null,
    kind text not null,
    key text not null
);
create index on staging.touched_keys (kind, build_id);
-- The transformer analyzes it while it builds, which is the owner's right.
alter table staging.touched_keys owner to trueup_transformer;

grant select, update on staging.build_state to trueup_transformer;
grant select on staging.build_state, staging.touched_keys to trueup_operator;
