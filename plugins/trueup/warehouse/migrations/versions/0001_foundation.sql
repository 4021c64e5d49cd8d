-- The line's schemas and every table that is not a stream's raw table or a dbt model.
create schema if not exists governance;
create schema if not exists raw;
create schema if not exists staging;
create schema if not exists canonical;
create schema if not exists marts;
create schema if not exists gates;
create schema if not exists outbox;
create schema if not exists audit;
create schema if not exists exceptions;

---------------------------------------------------------------- governance: what the tenant declared
create table governance.declarations (
    declaration_id bigint generated always as identity primary key,
    declared_at timestamptz not null default clock_timestamp(),
    content_hash text not null,
    content jsonb not null,
    declared_by text not null
);
comment on table governance.declarations is 'Every version of the tenant''s files that was put in force, newest last.';

create table governance.systems (
    system_id text primary key,
    connector text not null,
    role text not null,
    quantity_means text not null check (quantity_means in ('on_hand', 'available')),
    reserves_on_order boolean not null,
    clock_uncertainty_seconds integer not null
);
create table governance.locations (
    location_id text primary key,
    location_name text not null,
    system_id text not null references governance.systems,
    source_location_id text not null,
    unique (system_id, source_location_id)
);
create table governance.channels (
    channel text primary key,
    system_id text not null references governance.systems,
    shows text not null check (shows in ('available', 'on_hand')),
    listing_location_id text not null,
    is_enabled boolean not null
);
create table governance.channel_locations (
    channel text not null references governance.channels on delete cascade,
    location_id text not null references governance.locations on delete cascade,
    primary key (channel, location_id)
);
-- One row a rule; a null quantity means: this rule does not say, the next less specific one does.
create table governance.channel_rules (
    rule_id text primary key,
    channel text references governance.channels on delete cascade,
    category text,
    sku text,
    safety_stock_quantity integer check (safety_stock_quantity >= 0),
    buffer_quantity integer check (buffer_quantity >= 0),
    share numeric(6, 4) check (share between 0 and 1),
    cap_quantity integer check (cap_quantity >= 0),
    check (category is null or sku is null)
);
create table governance.sku_aliases (
    system_id text not null references governance.systems on delete cascade,
    source_sku text not null,
    sku text not null,
    primary key (system_id, source_sku)
);
-- Codes that are not goods (postage, fees, adjustments): pattern is a case-insensitive regular expression.
create table governance.non_stock_codes (
    pattern text primary key,
    classification text not null
);

---------------------------------------------------------------- raw: where each stream stands
create table raw.stream_positions (
    system_id text not null,
    stream text not null,
    cursor jsonb,
    polled_as_of timestamptz,
    swept_as_of timestamptz,
    swept_at timestamptz,
    last_read_started_at timestamptz,
    last_record_id bigint not null default 0,
    primary key (system_id, stream)
);
comment on column raw.stream_positions.swept_as_of is
    'The source''s clock at the start of the last complete sweep: every newest record was still true then.';

comment on column raw.stream_positions.last_read_started_at is
    'Our clock when the last complete read (poll or sweep) began: what was true before it has been seen.';

---------------------------------------------------------------- audit: append-only
create table audit.events (
    event_id bigint generated always as identity primary key,
    occurred_at timestamptz not null default clock_timestamp(),
    actor text not null,
    action text not null,
    subject text not null,
    reason text,
    details jsonb not null default '{}',
    correlation_id uuid,
    run_id text
);
create index on audit.events (correlation_id) where correlation_id is not null;
create index on audit.events (subject, event_id);

create table audit.landings (
    landing_id bigint generated always as identity primary key,
    run_id text not null,
    system_id text not null,
    stream text not null,
    mode text not null,
    started_at timestamptz not null,
    finished_at timestamptz not null default clock_timestamp(),
    page_count integer not null,
    read_count bigint not null,
    landed_count bigint not null,
    unchanged_count bigint not null,
    tombstone_count bigint not null,
    violation_count bigint not null,
    leaked_count bigint not null,
    first_record_id bigint,
    last_record_id bigint
);
comment on column audit.landings.leaked_count is
    'Changes that a sweep found although the cursor had passed them: the stream''s leak.';

create table audit.drifts (
    system_id text not null,
    stream text not null,
    field_path text not null,
    first_seen_at timestamptz not null default clock_timestamp(),
    last_seen_at timestamptz not null default clock_timestamp(),
    seen_count bigint not null default 1,
    primary key (system_id, stream, field_path)
);

create table audit.dbt_runs (
    invocation_id text not null,
    run_id text not null,
    node_id text not null,
    resource_type text not null,
    status text not null,
    started_at timestamptz,
    execution_seconds double precision,
    rows_affected bigint,
    message text,
    primary key (invocation_id, node_id)
);

create table audit.builds (
    build_id bigint generated always as identity primary key,
    run_id text not null,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    is_full_refresh boolean not null,
    status text not null check (status in ('running', 'succeeded', 'failed')),
    changed_record_count bigint,
    error text
);

---------------------------------------------------------------- staging: which records a build takes in
create table staging.build_scope (
    system_id text not null,
    stream text not null,
    from_record_id bigint not null,
    to_record_id bigint not null,
    swept_as_of timestamptz,
    primary key (system_id, stream)
);
comment on table staging.build_scope is
    'A build reads records up to to_record_id and recomputes what those after from_record_id touch; '
    'from moves to to when the build has succeeded.';

---------------------------------------------------------------- gates
create table gates.results (
    result_id bigint generated always as identity primary key,
    run_id text not null,
    validated_at timestamptz not null default clock_timestamp(),
    suite text not null,
    schema_name text not null,
    table_name text not null,
    rule_id text not null,
    owner text not null,
    severity text not null check (severity in ('critical', 'warning', 'info')),
    scope text not null check (scope in ('row', 'table')),
    expectation_type text not null,
    column_name text,
    is_passed boolean not null,
    evaluated_count bigint,
    unexpected_count bigint,
    unexpected_sample jsonb,
    notes text,
    error text
);
create index on gates.results (run_id);
create index on gates.results (suite, result_id);

-- One row a key and rule while the row fails; released_at when a later run passes it.
create table gates.quarantine (
    quarantine_id bigint generated always as identity primary key,
    schema_name text not null,
    table_name text not null,
    row_key text not null,
    sku text,
    channel text,
    rule_id text not null,
    reason text not null,
    run_id text not null,
    quarantined_at timestamptz not null default clock_timestamp(),
    released_at timestamptz
);
create unique index on gates.quarantine (schema_name, table_name, row_key, rule_id) where released_at is null;
create index on gates.quarantine (sku) where released_at is null;

-- A channel whose pushes a gate stopped; channel null stops all. Open while released_at is null.
create table gates.stops (
    stop_id bigint generated always as identity primary key,
    channel text,
    suite text not null,
    rule_id text not null,
    reason text not null,
    run_id text not null,
    stopped_at timestamptz not null default clock_timestamp(),
    released_at timestamptz
);

---------------------------------------------------------------- outbox
create table outbox.corrections (
    correction_id bigint generated always as identity primary key,
    key text not null unique,
    channel text not null,
    entity text not null,
    record_id text not null,
    field text not null,
    sku text not null,
    expected integer,
    target integer not null check (target >= 0),
    cause text not null,
    priority integer not null,
    facts_version text not null,
    facts_as_of timestamptz,
    correlation_id uuid not null,
    status text not null check (
        status in ('proposed', 'held', 'claimed', 'sent', 'applied', 'verified', 'superseded', 'conflicted', 'rejected', 'exhausted')
    ),
    status_reason text,
    attempts integer not null default 0,
    next_attempt_at timestamptz,
    claimed_by text,
    claimed_at timestamptz,
    proposed_at timestamptz not null default clock_timestamp(),
    applied_at timestamptz,
    verified_at timestamptz,
    run_id text not null
);
comment on column outbox.corrections.status is
    'proposed, held, claimed, sent and applied are open; the rest are ends.';
create unique index corrections_one_open on outbox.corrections (channel, record_id, field)
where status in ('proposed', 'held', 'claimed', 'sent', 'applied');
create index on outbox.corrections (channel, priority, correction_id) where status = 'proposed';
create index on outbox.corrections (correlation_id);
create index on outbox.corrections (sku, channel);

create table outbox.receipts (
    receipt_id bigint generated always as identity primary key,
    key text not null,
    attempt integer not null,
    outcome text not null,
    http_status integer,
    detail text not null,
    attempted_at timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp(),
    run_id text not null,
    unique (key, attempt)
);
create table outbox.read_backs (
    read_back_id bigint generated always as identity primary key,
    key text not null,
    observed integer,
    as_of timestamptz not null,
    is_verified boolean not null,
    run_id text not null
);
create table outbox.kill_switches (
    channel text primary key,
    stopped_at timestamptz not null default clock_timestamp(),
    stopped_by text not null,
    reason text not null
);
create table outbox.holds (
    hold_id bigint generated always as identity primary key,
    channel text not null,
    run_id text not null,
    reason text not null,
    correction_count integer not null,
    held_at timestamptz not null default clock_timestamp(),
    decision text check (decision in ('approved', 'rejected')),
    decided_by text,
    decided_at timestamptz
);
create unique index holds_one_open on outbox.holds (channel) where decision is null;

---------------------------------------------------------------- exceptions
create table exceptions.queue (
    exception_id bigint generated always as identity primary key,
    kind text not null,
    system_id text,
    stream text,
    subject text not null,
    reason text not null,
    remedy text not null,
    payload jsonb,
    correlation_id uuid,
    run_id text,
    opened_at timestamptz not null default clock_timestamp(),
    last_seen_at timestamptz not null default clock_timestamp(),
    seen_count integer not null default 1,
    status text not null default 'open' check (status in ('open', 'replayed', 'resolved', 'dismissed')),
    closed_at timestamptz,
    closed_by text,
    closed_reason text
);
comment on column exceptions.queue.kind is
    'contract_violation, unmatched_sku, ambiguous_sku, unclassified_code, correction_rejected, correction_exhausted, …';
create unique index queue_one_open on exceptions.queue (kind, coalesce(system_id, ''), coalesce(stream, ''), subject)
where status = 'open';
create index on exceptions.queue (status, opened_at);
