---------------------------------------------------------------- what is never changed
-- Only as the table's owner, which no step works as: a migration may have to, and says so in its file.
create function audit.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if current_user = (select pg_get_userbyid(relowner) from pg_class where oid = tg_relid) then
        return null;
    end if;
    raise exception '%.% is append-only: % is refused', tg_table_schema, tg_table_name, lower(tg_op)
        using errcode = 'insufficient_privilege';
end
$$;

create trigger is_append_only before update or delete or truncate on audit.events
for each statement execute function audit.refuse_change();
create trigger is_append_only before update or delete or truncate on outbox.receipts
for each statement execute function audit.refuse_change();
create trigger is_append_only before update or delete or truncate on outbox.read_backs
for each statement execute function audit.refuse_change();
create trigger is_append_only before update or delete or truncate on governance.declarations
for each statement execute function audit.refuse_change();

---------------------------------------------------------------- raw: made by a function, owned by nobody who writes
create function raw.create_stream(stream_table text, is_state boolean) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    loader constant name := (select role_name from governance.roles where purpose = 'loader');
    readers constant text := (
        select string_agg(quote_ident(role_name), ', ') from governance.roles
        where purpose in ('transformer', 'operator')
    );
    current_versions constant text := stream_table || '__heads';
begin
    if stream_table !~ '^[a-z][a-z0-9_]*__[a-z][a-z0-9_]*$' or length(current_versions) > 63 then
        raise exception '"%" is no name of a stream''s table', stream_table using errcode = 'invalid_name';
    end if;
    if to_regclass(format('raw.%I', stream_table)) is null then
        execute format(
            'create table raw.%I ('
            ' record_id bigint primary key,'
            ' source_key text collate "C" not null,'
            ' source_version text,'
            ' occurred_at timestamptz,'
            ' received_at timestamptz not null,'
            ' arrival text not null,'
            ' correlation_id uuid not null,'
            ' run_id text not null,'
            ' payload jsonb,'
            ' payload_hash bytea)', stream_table
        );
        if is_state then
            execute format('create index on raw.%I (source_key, record_id desc)', stream_table);
        else
            execute format('create unique index on raw.%I (source_key)', stream_table);
        end if;
        execute format('create index on raw.%I (correlation_id)', stream_table);
        execute format(
            'create trigger is_append_only before update or delete or truncate on raw.%I'
            ' for each statement execute function audit.refuse_change()', stream_table
        );
        execute format('grant select, insert on raw.%I to %I', stream_table, loader);
        execute format('grant select on raw.%I to %s', stream_table, readers);
    end if;
    if is_state and to_regclass(format('raw.%I', current_versions)) is null then
        -- Room is left in every page, so that a new version replaces the old one there without touching the index.
        execute format(
            'create table raw.%I ('
            ' source_key text collate "C" primary key,'
            ' record_id bigint not null,'
            ' source_version text,'
            ' observed_at timestamptz not null,'
            ' seen_at timestamptz not null,'
            ' payload_hash bytea,'
            ' happened_at timestamptz) with (fillfactor = 80)', current_versions
        );
        execute format('grant select, insert, update on raw.%I to %I', current_versions, loader);
        execute format('grant select on raw.%I to %s', current_versions, readers);
    end if;
end
$$;
revoke all on function raw.create_stream(text, boolean) from public;
grant execute on function raw.create_stream(text, boolean) to trueup_loader;

-- Streams that a loader made itself. Their owner is the owner by now (warehouse/rights.sql).
revoke create on schema raw from trueup_loader;
do $$
declare
    stream record;
begin
    for stream in
        select tablename, tablename like '%\_\_heads' as is_current
        from pg_tables
        where schemaname = 'raw' and tablename like '%\_\_%'
    loop
        execute format('revoke all on raw.%I from trueup_loader', stream.tablename);
        execute format('grant select on raw.%I to trueup_transformer, trueup_operator', stream.tablename);
        if stream.is_current then
            execute format('grant select, insert, update on raw.%I to trueup_loader', stream.tablename);
        else
            execute format('grant select, insert on raw.%I to trueup_loader', stream.tablename);
            execute format(
                'create trigger is_append_only before update or delete or truncate on raw.%I'
                ' for each statement execute function audit.refuse_change()', stream.tablename
            );
        end if;
    end loop;
end
$$;

---------------------------------------------------------------- whose name an event carries
-- The steps share a login, so who is at the keyboard is what Airflow or the command line says when it connects. The
-- automatic steps speak for themselves only, and what the database knows by itself is kept beside it.
create function audit.session_actor() returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select case
        when current_user ~ '^trueup_.*_(loader|transformer)$' then
            case
                when current_setting('trueup.actor', true) in ('gates', 'landing', 'trueup')
                    then current_setting('trueup.actor', true)
                else substring(current_user from '[a-z]+$')
            end
        else coalesce(nullif(current_setting('trueup.actor', true), ''), session_user)
    end
$$;

alter table audit.events alter column actor set default audit.session_actor();
alter table audit.events add column session_login name;
alter table audit.events add column session_role name;
alter table audit.events alter column session_login set default session_user;
alter table audit.events alter column session_role set default current_user;
comment on column audit.events.actor is
    'Who did it: what Airflow or the command line said of its session. Cannot be set with the event.';
comment on column audit.events.session_login is 'The login of the session, as the database knows it.';
comment on column audit.events.session_role is 'The role at work, as the database knows it.';

revoke insert on audit.events from trueup_loader;
revoke insert on audit.events from trueup_transformer;
revoke insert on audit.events from trueup_operator;
grant select on audit.events
to trueup_configurator, trueup_loader, trueup_transformer, trueup_proposer, trueup_operator;
grant insert (action, subject, reason, details, correlation_id, run_id) on audit.events
to trueup_configurator, trueup_loader, trueup_transformer, trueup_proposer, trueup_operator;

alter table governance.declarations alter column declared_by set default audit.session_actor();
grant insert (content_hash, content) on governance.declarations to trueup_configurator;

alter table outbox.kill_switches alter column stopped_by set default audit.session_actor();
revoke insert, update on outbox.kill_switches from trueup_operator;
grant insert (channel, reason) on outbox.kill_switches to trueup_operator;

---------------------------------------------------------------- exceptions: what one is about stays
revoke update on exceptions.queue from trueup_loader;
revoke update on exceptions.queue from trueup_transformer;
revoke update on exceptions.queue from trueup_proposer;
revoke update on exceptions.queue from trueup_operator;
grant update (
    reason, remedy, payload, context, correlation_id, run_id, last_seen_at, seen_count, status, closed_at, closed_by,
    closed_reason
) on exceptions.queue to trueup_loader, trueup_transformer, trueup_proposer, trueup_operator;

---------------------------------------------------------------- decisions
alter table outbox.corrections add column proposed_by text;
alter table outbox.corrections alter column proposed_by set default audit.session_actor();
comment on column outbox.corrections.proposed_by is 'Who proposed it, and so may not approve it. Null: before this was kept.';

revoke insert, update on outbox.corrections from trueup_operator;
revoke insert, update on outbox.holds from trueup_operator;
grant insert (
    key, channel, entity, record_id, field, sku, expected, target, cause, priority, facts_version, facts_as_of,
    facts_received_at, correlation_id, status, status_reason, hold_id, run_id
) on outbox.corrections to trueup_proposer;
grant update (status, status_reason, settled_at) on outbox.corrections to trueup_proposer;
grant insert (channel, run_id, reason, correction_count) on outbox.holds to trueup_proposer;
grant update (reason, correction_count, decision, decided_by, decided_at) on outbox.holds to trueup_proposer;
-- What a correction is (its record, what it expects, what it writes) was said when it was proposed.
grant update (
    status, status_reason, attempts, next_attempt_at, claimed_by, claimed_at, sent_at, applied_at, verified_at,
    settled_at, is_replayed
) on outbox.corrections to trueup_operator;

create function outbox.may_become(former_status text, new_status text) returns boolean
language sql immutable parallel safe as $$
    select case former_status
        when 'proposed' then new_status in ('claimed', 'superseded')
        when 'held' then new_status = 'superseded'
        when 'claimed' then new_status in ('proposed', 'sent')
        when 'sent' then new_status in ('proposed', 'applied', 'verified', 'conflicted', 'rejected', 'exhausted')
        when 'applied' then new_status in ('verified', 'conflicted', 'exhausted')
        else false
    end
$$;

-- Whom only a migration, a function of the owner's or an administrator can be.
create function outbox.is_owner() returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select pg_has_role(current_user, (select relowner from pg_class where oid = 'outbox.corrections'::regclass), 'usage')
$$;

create function outbox.refuse_transition() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if outbox.is_owner() then
        return new;
    end if;
    raise exception 'correction % is % and cannot become %; what is held is let go by outbox.decide_hold()',
        old.correction_id, old.status, new.status
        using errcode = 'insufficient_privilege';
end
$$;
create trigger keeps_its_transitions before update of status on outbox.corrections
for each row when (old.status <> new.status and not outbox.may_become(old.status, new.status))
execute function outbox.refuse_transition();

create function outbox.refuse_decision() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if outbox.is_owner() then
        return new;
    end if;
    raise exception 'hold % is decided by outbox.decide_hold() alone', old.hold_id
        using errcode = 'insufficient_privilege';
end
$$;
-- A hold with nothing left in it is withdrawn by who proposes.
create trigger is_decided_by_function before update on outbox.holds
for each row when (
    old.decision is not null
    or (new.decision is distinct from old.decision and new.decision is distinct from 'withdrawn')
)
execute function outbox.refuse_decision();

-- Approves or rejects one hold in the name of the session's actor. Returns no row where there is no such hold, else what
-- was decided before (null: nothing) and how many corrections this moved.
create function outbox.decide_hold(
    wanted_hold_id bigint, wanted_decision text, wanted_reason text,
    out channel text, out decided text, out decided_by text, out is_own_proposal boolean, out moved_count bigint
) returns setof record
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    -- In a function of the owner's, the session's role and setting are those of the caller.
    actor constant text := coalesce(nullif(current_setting('trueup.actor', true), ''), session_user);
begin
    if wanted_decision is null or wanted_decision not in ('approved', 'rejected') then
        raise exception '"%" is no decision', wanted_decision using errcode = 'invalid_parameter_value';
    end if;
    select holds.channel, holds.decision, holds.decided_by into channel, decided, decided_by
    from outbox.holds as holds where holds.hold_id = wanted_hold_id for update;
    if not found then
        return;
    end if;
    moved_count := 0;
    is_own_proposal := wanted_decision = 'approved' and exists (
        select from outbox.corrections as corrections
        where corrections.hold_id = wanted_hold_id and corrections.status = 'held' and corrections.proposed_by = actor
    );
    if decided is null and not is_own_proposal then
        -- Before the corrections are moved: what left the hold earlier was settled before this moment, and was no part of
        -- what the person answered.
        update outbox.holds as holds set
            decision = wanted_decision, decided_by = actor, decided_at = clock_timestamp()
        where holds.hold_id = wanted_hold_id;
        update outbox.corrections as corrections set
            status = case wanted_decision when 'approved' then 'proposed' else 'superseded' end,
            status_reason = format('hold %s %s by %s', wanted_hold_id, wanted_decision, actor)
                || coalesce(': ' || nullif(wanted_reason, ''), ''),
            settled_at = case wanted_decision when 'rejected' then clock_timestamp() end
        where corrections.hold_id = wanted_hold_id and corrections.status = 'held';
        get diagnostics moved_count = row_count;
    end if;
    return next;
end
$$;
revoke all on function outbox.decide_hold(bigint, text, text) from public;
grant execute on function outbox.decide_hold(bigint, text, text) to trueup_operator;
