---------------------------------------------------------------- what a source may say
-- A cast to one of these fails where the value cannot be what it claims; no function is called for it, so it is cheap.
create domain staging.quantity as numeric
constraint quantity_is_possible check (value between -1000000000 and 1000000000);
comment on domain staging.quantity is
    'A number of units that a source tells: at most a thousand million either way. NaN is above every number.';

create domain staging.moment as timestamptz
constraint moment_is_possible check (value between '1900-01-01 00:00:00+00' and '9999-12-30 00:00:00+00');
comment on domain staging.moment is 'A time that every program reading the tables can hold; no infinity.';

---------------------------------------------------------------- sums of what sources say
-- The views of the outbox read other columns of these tables, so none has to be made anew.
alter table outbox.corrections alter column expected type bigint, alter column target type bigint;
alter table outbox.read_backs alter column observed type bigint;

---------------------------------------------------------------- what a build could not read
create table staging.set_aside (
    system_id text not null,
    stream text not null,
    record_id bigint not null,
    source_key text collate "C" not null,
    received_at timestamptz not null,
    reason text not null,
    build_id bigint not null,
    set_aside_at timestamptz not null default clock_timestamp(),
    primary key (system_id, stream, record_id)
);
comment on table staging.set_aside is
    'Raw records that a staging model cannot read. Builds leave them out; the version before them counts.';

-- Owned and read like the other tables in which builds keep their state, whatever the roles are called here.
do $$
declare
    owner_name name;
    reader_name name;
begin
    select tables.tableowner into owner_name
    from pg_catalog.pg_tables as tables
    where tables.schemaname = 'staging' and tables.tablename = 'touched_keys';
    execute format('alter table staging.set_aside owner to %I', owner_name);
    for reader_name in
        select distinct readers.rolname
        from pg_catalog.pg_class as relations
        cross join lateral aclexplode(relations.relacl) as grants
        inner join pg_catalog.pg_roles as readers on grants.grantee = readers.oid
        where relations.oid = 'staging.touched_keys'::regclass and grants.privilege_type = 'SELECT'
    loop
        execute format('grant select on staging.set_aside to %I', reader_name);
    end loop;
end
$$;
