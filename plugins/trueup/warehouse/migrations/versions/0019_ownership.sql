---------------------------------------------------------------- who owns which field
create table governance.ownership (
    entity text not null,
    field text not null,
    owner text not null,
    primary key (entity, field)
);
comment on table governance.ownership is
    'The owner of each field: a system, `trueup` where it is computed here, `origin` where each record''s own system is.';
grant select on governance.ownership
to trueup_configurator, trueup_loader, trueup_transformer, trueup_proposer, trueup_operator;
grant insert, delete on governance.ownership to trueup_configurator;

alter table outbox.changes add column owner_system text;
alter table outbox.changes add column decided_from text;
comment on column outbox.changes.owner_system is 'The system that owns the field of this record; null where it is computed here.';
comment on column outbox.changes.decided_from is 'The owner''s record that it was decided from. Null: before this was kept.';
grant insert (owner_system, decided_from) on outbox.changes to trueup_proposer;

create function outbox.refuse_owners_fields() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    refused record;
begin
    select new_rows.target_system, new_rows.entity, new_rows.field into refused
    from new_rows
    inner join governance.targets as targets on targets.target_system = new_rows.target_system
    left join governance.ownership as ownership
        on ownership.entity = new_rows.entity and ownership.field = new_rows.field
    where targets.system_id = case
        when ownership.owner is null or ownership.owner = 'origin' then new_rows.owner_system
        else ownership.owner
    end
    limit 1;
    if found then
        raise exception '% owns %.% and is not written to', refused.target_system, refused.entity, refused.field
            using errcode = 'check_violation';
    end if;
    return null;
end
$$;
create trigger keeps_to_owners after insert on outbox.changes
referencing new table as new_rows for each statement execute function outbox.refuse_owners_fields();

-- Under the same external id nothing else is created.
create function outbox.refuse_other_content() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if exists (
        select from outbox.changes as created
        where created.target_system = new.target_system and created.entity = new.entity
            and created.record_ref = new.record_ref and created.field = new.field
            and created.operation = 'create' and created.desired <> new.desired
            and created.status in ('claimed', 'sent', 'pending', 'applied', 'verified')
    ) then
        raise exception '% was created at % with another content', new.record_ref, new.target_system
            using errcode = 'unique_violation';
    end if;
    return new;
end
$$;
create trigger keeps_its_content before insert on outbox.changes
for each row when (new.operation = 'create') execute function outbox.refuse_other_content();
