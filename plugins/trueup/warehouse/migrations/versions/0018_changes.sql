---------------------------------------------------------------- changes of any kind
-- The next build makes the views of the outbox anew, over the new columns.
drop view if exists outbox.correction_candidates;
drop view if exists outbox.wanted_corrections;

alter table outbox.corrections rename to changes;
alter table outbox.changes rename column correction_id to change_id;
alter table outbox.changes rename column channel to target_system;
alter table outbox.changes rename column record_id to record_ref;
alter table outbox.changes rename column sku to subject_key;
alter table outbox.changes rename column target to desired;
alter table outbox.changes rename column settled_at to resolved_at;
alter table outbox.changes drop constraint corrections_target_check;
alter table outbox.changes
alter column expected type jsonb using to_jsonb(expected),
alter column desired type jsonb using to_jsonb(desired),
add column operation text not null default 'set' check (operation in ('set', 'create', 'transition')),
add column size bigint,
add column ticket text;
alter table outbox.changes alter column operation drop default;
update outbox.changes set size = desired::bigint - coalesce(expected, '0')::bigint;
alter table outbox.changes alter column size set not null;
alter table outbox.changes drop constraint corrections_status_check;
alter table outbox.changes add constraint changes_status_check check (status in (
    'proposed', 'held', 'claimed', 'sent', 'pending', 'applied', 'verified', 'superseded', 'conflicted', 'rejected',
    'exhausted'
));
alter table outbox.changes add constraint changes_quantity_check
check (jsonb_typeof(desired) <> 'number' or desired >= '0');

comment on table outbox.changes is 'One row a decision: what is to be changed at a target, and where it stands.';
comment on column outbox.changes.status is
    'proposed, held, claimed, sent, pending and applied are open; the rest are ends.';
comment on column outbox.changes.target_system is 'The target by its declared name: a channel, or a system.';
comment on column outbox.changes.record_ref is
    'The target''s own address of the record; of one to be created, the external id to look it up by.';
comment on column outbox.changes.subject_key is
    'What the record is about, by our own key: what quarantine and explanations go by.';
comment on column outbox.changes.expected is 'The fence: what was observed. Null: nothing was.';
comment on column outbox.changes.desired is
    'A number is a quantity, a text a state, {"amount_minor", "currency"} money, {"document"} a document.';
comment on column outbox.changes.size is
    'How far it goes, in the measure of its workflow''s guards: units, minor units of money, or records. Signed.';
comment on column outbox.changes.ticket is 'With pending: what the target gave us to ask by.';

drop index outbox.corrections_one_open;
create unique index changes_one_open on outbox.changes (target_system, record_ref, entity, field)
where status in ('proposed', 'held', 'claimed', 'sent', 'pending', 'applied');
do $$
declare
    name name;
begin
    for name in
        select indexname from pg_catalog.pg_indexes
        where schemaname = 'outbox' and tablename = 'changes' and indexname like 'corrections%'
    loop
        execute format('alter index outbox.%I rename to %I', name, replace(name, 'corrections', 'changes'));
    end loop;
end
$$;

grant insert (operation, size) on outbox.changes to trueup_proposer;
grant update (ticket) on outbox.changes to trueup_operator;

-- For a person: a value in a word or two. A document is not read out, it may be long and not for everybody.
create function outbox.value_text(value jsonb) returns text
language sql immutable parallel safe as $$
    select case
        when value is null then '?'
        when jsonb_typeof(value) in ('number', 'string') then value #>> '{}'
        when value ? 'amount_minor' then concat(value ->> 'amount_minor', ' ', value ->> 'currency', ' (minor units)')
        else 'document ' || left(encode(sha256(convert_to((value -> 'document')::text, 'UTF8')), 'hex'), 12)
    end
$$;

---------------------------------------------------------------- what became of them
alter table outbox.read_backs alter column observed type jsonb using to_jsonb(observed);
alter table outbox.receipts add column ticket text;

create table outbox.transitions (
    transition_id bigint generated always as identity primary key,
    change_id bigint not null,
    former_status text,
    status text not null,
    reason text,
    actor text,
    attempts integer not null,
    happened_at timestamptz not null default clock_timestamp()
);
create index on outbox.transitions (change_id);
comment on table outbox.transitions is
    'Every step of a change''s life, with who and why; written by outbox.changes itself, never changed.';
comment on column outbox.transitions.actor is 'Null: before this was kept.';
grant select on outbox.transitions to trueup_transformer, trueup_proposer, trueup_operator;

-- What is known of the steps so far: when it was proposed, and where it stands.
insert into outbox.transitions (change_id, status, actor, attempts, happened_at)
select change_id, case when hold_id is null then 'proposed' else 'held' end, proposed_by, 0, proposed_at
from outbox.changes
order by change_id;
insert into outbox.transitions (change_id, status, reason, attempts, happened_at)
select
    change_id, status, status_reason, attempts,
    greatest(proposed_at, coalesce(resolved_at, verified_at, applied_at, sent_at, claimed_at))
from outbox.changes
where status not in ('proposed', 'held')
order by change_id;

create trigger is_append_only before update or delete or truncate on outbox.transitions
for each statement execute function audit.refuse_change();

create function outbox.keep_transitions() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    actor constant text := coalesce(nullif(current_setting('trueup.actor', true), ''), session_user);
begin
    if tg_op = 'INSERT' then
        insert into outbox.transitions (change_id, status, reason, actor, attempts)
        select change_id, status, status_reason, actor, attempts from new_rows order by change_id;
    else
        insert into outbox.transitions (change_id, former_status, status, reason, actor, attempts)
        select new_rows.change_id, old_rows.status, new_rows.status, new_rows.status_reason, actor, new_rows.attempts
        from new_rows
        inner join old_rows on old_rows.change_id = new_rows.change_id
        where old_rows.status <> new_rows.status
        order by new_rows.change_id;
    end if;
    return null;
end
$$;
create trigger keeps_its_beginning after insert on outbox.changes
referencing new table as new_rows for each statement execute function outbox.keep_transitions();
create trigger keeps_its_steps after update on outbox.changes
referencing old table as old_rows new table as new_rows for each statement execute function outbox.keep_transitions();

create or replace function outbox.may_become(former_status text, new_status text) returns boolean
language sql immutable parallel safe as $$
    select case former_status
        when 'proposed' then new_status in ('claimed', 'superseded')
        when 'held' then new_status = 'superseded'
        -- Looked up before it is sent again, it may be found there.
        when 'claimed' then new_status in ('proposed', 'sent', 'verified', 'conflicted', 'rejected', 'exhausted')
        when 'sent' then
            new_status in ('proposed', 'pending', 'applied', 'verified', 'conflicted', 'rejected', 'exhausted')
        when 'pending' then
            new_status in ('proposed', 'applied', 'verified', 'conflicted', 'rejected', 'exhausted')
        when 'applied' then new_status in ('verified', 'conflicted', 'exhausted')
        else false
    end
$$;
create or replace function outbox.is_owner() returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select pg_has_role(current_user, (select relowner from pg_class where oid = 'outbox.changes'::regclass), 'usage')
$$;
create or replace function outbox.refuse_transition() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if outbox.is_owner() then
        return new;
    end if;
    raise exception 'change % is % and cannot become %; a change on hold is released by outbox.decide_hold()',
        old.change_id, old.status, new.status
        using errcode = 'insufficient_privilege';
end
$$;

---------------------------------------------------------------- targets: channels, and systems by themselves
create view governance.targets as
select channel as target_system, system_id, is_enabled from governance.channels
union all
select systems.system_id, systems.system_id, true from governance.systems as systems
where not exists (select from governance.channels as channels where channels.channel = systems.system_id);
comment on view governance.targets is 'What changes can be written to, by its declared name. A channel hides a system of its name.';
grant select on governance.targets
to trueup_configurator, trueup_loader, trueup_transformer, trueup_proposer, trueup_operator;

alter table outbox.kill_switches rename column channel to target_system;

---------------------------------------------------------------- holds: by workflow, answered by as many people as it needs
alter table outbox.holds rename column channel to target_system;
alter table outbox.holds add column workflow text not null default 'inventory';
alter table outbox.holds alter column workflow drop default;
alter table outbox.holds add column approvals_needed smallint not null default 1 check (approvals_needed between 1 and 2);
drop index outbox.holds_one_open;
create unique index holds_one_open on outbox.holds (target_system, workflow) where decision is null;
grant insert (workflow, approvals_needed) on outbox.holds to trueup_proposer;
grant update (approvals_needed) on outbox.holds to trueup_proposer;

create table outbox.approvals (
    hold_id bigint not null references outbox.holds,
    approved_by text not null,
    reason text,
    approved_at timestamptz not null default clock_timestamp(),
    primary key (hold_id, approved_by)
);
comment on table outbox.approvals is 'Who said yes to a hold; written by outbox.decide_hold() alone.';
grant select on outbox.approvals to trueup_transformer, trueup_proposer, trueup_operator;
insert into outbox.approvals (hold_id, approved_by, approved_at)
select hold_id, decided_by, decided_at from outbox.holds where decision = 'approved';
create trigger is_append_only before update or delete or truncate on outbox.approvals
for each statement execute function audit.refuse_change();

drop function outbox.decide_hold(bigint, text, text);
-- Approves or rejects one hold in the name of the session's actor. Returns no row where there is no such hold, else what
-- was decided before (null: nothing), how many changes this moved, and how many more people must approve.
create function outbox.decide_hold(
    wanted_hold_id bigint, wanted_decision text, wanted_reason text,
    out target_system text, out decided text, out decided_by text, out is_own_proposal boolean, out moved_count bigint,
    out missing_approvals integer
) returns setof record
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    -- In a function of the owner's, the session's role and setting are those of the caller.
    actor constant text := coalesce(nullif(current_setting('trueup.actor', true), ''), session_user);
    needed integer;
begin
    if wanted_decision is null or wanted_decision not in ('approved', 'rejected') then
        raise exception '"%" is no decision', wanted_decision using errcode = 'invalid_parameter_value';
    end if;
    select holds.target_system, holds.decision, holds.decided_by, holds.approvals_needed
    into target_system, decided, decided_by, needed
    from outbox.holds as holds where holds.hold_id = wanted_hold_id for update;
    if not found then
        return;
    end if;
    moved_count := 0;
    missing_approvals := 0;
    is_own_proposal := wanted_decision = 'approved' and exists (
        select from outbox.changes as changes
        where changes.hold_id = wanted_hold_id and changes.status = 'held' and changes.proposed_by = actor
    );
    if decided is null and not is_own_proposal then
        if wanted_decision = 'approved' then
            insert into outbox.approvals (hold_id, approved_by, reason)
            values (wanted_hold_id, actor, nullif(wanted_reason, '')) on conflict do nothing;
            missing_approvals := greatest(0, needed - (
                select count(*) from outbox.approvals as approvals where approvals.hold_id = wanted_hold_id
            ));
        end if;
        if missing_approvals = 0 then
            -- Before the changes are moved: what left the hold earlier was resolved before this moment, and was no part
            -- of what the person answered.
            update outbox.holds as holds set
                decision = wanted_decision, decided_by = actor, decided_at = clock_timestamp()
            where holds.hold_id = wanted_hold_id;
            update outbox.changes as changes set
                status = case wanted_decision when 'approved' then 'proposed' else 'superseded' end,
                status_reason = format('hold %s %s by %s', wanted_hold_id, wanted_decision, case
                    when wanted_decision = 'approved' and needed > 1 then (
                        select string_agg(approvals.approved_by, ' and ' order by approvals.approved_at)
                        from outbox.approvals as approvals where approvals.hold_id = wanted_hold_id
                    )
                    else actor
                end) || coalesce(': ' || nullif(wanted_reason, ''), ''),
                resolved_at = case wanted_decision when 'rejected' then clock_timestamp() end
            where changes.hold_id = wanted_hold_id and changes.status = 'held';
            get diagnostics moved_count = row_count;
        end if;
    end if;
    return next;
end
$$;
revoke all on function outbox.decide_hold(bigint, text, text) from public;
grant execute on function outbox.decide_hold(bigint, text, text) to trueup_operator;

---------------------------------------------------------------- receipts: a ticket, and later what became of it
alter table outbox.receipts drop constraint receipts_key_attempt_key;
create unique index receipts_one_an_attempt on outbox.receipts (key, attempt, (outcome = 'pending'));

---------------------------------------------------------------- what may not be pushed
-- Null: every entity, every subject, every target.
create view gates.withheld as
select
    'quarantine'::text as kind, quarantine_id as withheld_id, 'stock'::text as entity, sku as subject_key,
    channel as target_system, rule_id, 'quarantine by ' || rule_id as withheld_by, reason, quarantined_at as since
from gates.quarantine
where released_at is null and sku is not null
union all
select
    'stop', stop_id, null, null, channel, rule_id, 'gate ' || suite || ' (' || rule_id || ')', reason, stopped_at
from gates.stops
where released_at is null
union all
select 'switch', null, null, null, target_system, null, 'stopped by ' || stopped_by, reason, stopped_at
from outbox.kill_switches;
comment on view gates.withheld is
    'What may not be pushed now, by which rule and since when. Everybody asks here: nobody asks the tables under it.';
grant select on gates.withheld to trueup_transformer, trueup_proposer, trueup_operator;

---------------------------------------------------------------- what exceptions say of the record they are about
update exceptions.queue set payload = (payload - array['channel', 'record_id', 'sku', 'target']) || jsonb_build_object(
    'entity', 'stock',
    'target_system', payload -> 'channel',
    'record_ref', payload -> 'record_id',
    'subject_key', payload -> 'sku',
    'desired', payload -> 'target'
)
where kind in ('correction_rejected', 'correction_exhausted') and payload ?& array['channel', 'record_id', 'target'];
