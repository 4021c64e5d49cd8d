-- Which builds were gated, against which suites, and what a table's totals may be held against.
create table gates.runs (
    gate_run_id bigint generated always as identity primary key,
    run_id text not null,
    build_id bigint not null,
    is_full boolean not null,
    suites_hash text not null,
    started_at timestamptz not null,
    finished_at timestamptz not null default clock_timestamp(),
    expectation_count integer not null,
    failed_count integer not null,
    quarantined_count bigint not null,
    released_count bigint not null
);
comment on table gates.runs is
    'One row a finished gate run, written in the transaction of its verdicts: a build without one is not gated.';
create index on gates.runs (build_id);
create index on gates.runs (run_id);

create table gates.baselines (
    suite text not null,
    rule_id text not null,
    value double precision not null,
    taken_at timestamptz not null default clock_timestamp(),
    run_id text not null,
    accepted_by text,
    primary key (suite, rule_id)
);
comment on table gates.baselines is
    'The newest total that passed, which the next one may not fall far below; or the one a person accepted.';

-- The newest verdict of each rule, however long the history.
create index results_of_rule on gates.results (suite, rule_id, result_id desc);
create index results_by_age on gates.results (validated_at);
create unique index stops_one_open on gates.stops (coalesce(channel, ''), suite, rule_id) where released_at is null;
create index quarantine_open_of_table on gates.quarantine (schema_name, table_name) where released_at is null;

grant select, insert, update, delete on gates.runs, gates.baselines to trueup_transformer;
grant delete on gates.results, gates.quarantine, gates.stops to trueup_transformer;
grant select on gates.runs, gates.baselines to trueup_operator;
grant insert, update on gates.baselines to trueup_operator;
