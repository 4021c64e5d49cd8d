-- A record's own time, so that a sweep of the last months concludes nothing about what is older. Streams of movements
-- took each key once and kept no table of newest versions: they get one, filled from what has landed.
do $$
declare
    stream record;
    key_index text;
    reader text;
begin
    for stream in
        select
            class.oid,
            class.relname,
            class.relowner,
            pg_get_userbyid(class.relowner) as owner,
            class.relacl
        from pg_class as class
        inner join pg_attribute as attribute
            on class.oid = attribute.attrelid and attribute.attname = 'payload_hash' and not attribute.attisdropped
        where
            class.relnamespace = 'raw'::regnamespace
            and class.relkind = 'r'
            and class.relname !~ '__heads$'
        order by class.relname
    loop
        -- The stream's only writer until this migration is committed, as a landing of the version before is.
        perform pg_advisory_xact_lock(hashtextextended('raw.' || stream.relname, 0));
        if to_regclass(format('raw.%I', stream.relname || '__heads')) is not null then
            execute format('alter table raw.%I add column happened_at timestamptz', stream.relname || '__heads');
            continue;
        end if;
        for key_index in
            select indexrelid::regclass::text
            from pg_index
            where indrelid = stream.oid and indisunique and not indisprimary
        loop
            execute format('drop index %s', key_index);
        end loop;
        execute format('create index on raw.%I (source_key, record_id desc)', stream.relname);
        execute format(
            'create table raw.%I ('
            ' source_key text collate "C" primary key,'
            ' record_id bigint not null,'
            ' source_version text,'
            ' observed_at timestamptz not null,'
            ' seen_at timestamptz not null,'
            ' payload_hash bytea,'
            ' happened_at timestamptz) with (fillfactor = 80)',
            stream.relname || '__heads'
        );
        execute format('alter table raw.%I owner to %I', stream.relname || '__heads', stream.owner);
        for reader in
            select distinct pg_get_userbyid(granted.grantee)
            from aclexplode(stream.relacl) as granted
            where granted.privilege_type = 'SELECT' and granted.grantee not in (0, stream.relowner)
        loop
            execute format('grant select on raw.%I to %I', stream.relname || '__heads', reader);
        end loop;
        -- An event's occurred_at is when it happened; it was certainly true then.
        execute format(
            'insert into raw.%I'
            ' (source_key, record_id, source_version, observed_at, seen_at, payload_hash, happened_at)'
            ' select source_key, record_id, source_version, coalesce(occurred_at, to_timestamp(0)), received_at,'
            ' payload_hash, occurred_at from raw.%I',
            stream.relname || '__heads',
            stream.relname
        );
    end loop;
end
$$;
