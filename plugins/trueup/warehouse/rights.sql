-- Hands what former roles own, or may do, in this database to the roles of its own. `role_moves` names the former roles
-- and who takes their place; what the login itself made goes to the owner. Doing it again changes nothing.
do $$
declare
    lines constant text[] := array[
        'governance', 'raw', 'staging', 'canonical', 'marts', 'reconciliation', 'gates', 'outbox', 'audit', 'exceptions',
        'connectors'
    ];
    owner_name constant name := (select own from role_moves where purpose = 'owner' limit 1);
    statement text;
begin
    -- Schemas first: who is to own a table must be able to make one there.
    for statement in
        select format('alter schema %I owner to %I', schemas.nspname, owner_name)
        from pg_namespace as schemas
        where schemas.nspname = any(lines)
            and schemas.nspowner in (
                select roles.oid from pg_roles as roles
                where roles.rolname = session_user or roles.rolname in (select former from role_moves)
            )
        union all
        select format('grant %s on schema %I to %I; revoke all on schema %I from %I',
            string_agg(distinct acl.privilege_type, ', '), schemas.nspname, moves.own, schemas.nspname, moves.former)
        from pg_namespace as schemas
        cross join lateral aclexplode(schemas.nspacl) as acl
        inner join pg_roles as former on former.oid = acl.grantee
        inner join role_moves as moves on moves.former = former.rolname
        where schemas.nspname = any(lines)
        group by schemas.nspname, moves.own, moves.former
    loop
        execute statement;
    end loop;

    -- What a loader made is raw, and raw belongs to nobody who writes it.
    for statement in
        select format('alter table %I.%I owner to %I', schemas.nspname, tables.relname,
            case when moves.purpose is null or moves.purpose = 'loader' then owner_name else moves.own end)
        from pg_class as tables
        inner join pg_namespace as schemas on schemas.oid = tables.relnamespace
        inner join pg_roles as holder on holder.oid = tables.relowner
        left join role_moves as moves on moves.former = holder.rolname
        where (schemas.nspname = any(lines) or (schemas.nspname, tables.relname) = ('public', 'alembic_version'))
            and tables.relkind in ('r', 'p', 'v', 'm')
            and (moves.former is not null or holder.rolname = session_user)
        union all
        select format('alter routine %s owner to %I', routines.oid::regprocedure, owner_name)
        from pg_proc as routines
        inner join pg_namespace as schemas on schemas.oid = routines.pronamespace
        inner join pg_roles as holder on holder.oid = routines.proowner
        where schemas.nspname = any(lines)
            and (holder.rolname = session_user or holder.rolname in (select former from role_moves))
        union all
        select format('alter domain %I.%I owner to %I', schemas.nspname, domains.typname, owner_name)
        from pg_type as domains
        inner join pg_namespace as schemas on schemas.oid = domains.typnamespace
        inner join pg_roles as holder on holder.oid = domains.typowner
        where schemas.nspname = any(lines) and domains.typtype = 'd'
            and (holder.rolname = session_user or holder.rolname in (select former from role_moves))
    loop
        execute statement;
    end loop;

    for statement in
        select format('grant %s on table %I.%I to %I; revoke all on table %I.%I from %I',
            string_agg(distinct acl.privilege_type, ', '), schemas.nspname, tables.relname, moves.own,
            schemas.nspname, tables.relname, moves.former)
        from pg_class as tables
        inner join pg_namespace as schemas on schemas.oid = tables.relnamespace
        cross join lateral aclexplode(tables.relacl) as acl
        inner join pg_roles as former on former.oid = acl.grantee
        inner join role_moves as moves on moves.former = former.rolname
        where schemas.nspname = any(lines) and tables.relkind in ('r', 'p', 'v', 'm')
        group by schemas.nspname, tables.relname, moves.own, moves.former
        union all
        select format('grant %s (%I) on table %I.%I to %I; revoke %s (%I) on table %I.%I from %I',
            acl.privilege_type, columns.attname, schemas.nspname, tables.relname, moves.own,
            acl.privilege_type, columns.attname, schemas.nspname, tables.relname, moves.former)
        from pg_attribute as columns
        inner join pg_class as tables on tables.oid = columns.attrelid
        inner join pg_namespace as schemas on schemas.oid = tables.relnamespace
        cross join lateral aclexplode(columns.attacl) as acl
        inner join pg_roles as former on former.oid = acl.grantee
        inner join role_moves as moves on moves.former = former.rolname
        where schemas.nspname = any(lines)
        union all
        select format('grant execute on routine %s to %I; revoke execute on routine %s from %I',
            routines.oid::regprocedure, moves.own, routines.oid::regprocedure, moves.former)
        from pg_proc as routines
        inner join pg_namespace as schemas on schemas.oid = routines.pronamespace
        cross join lateral aclexplode(routines.proacl) as acl
        inner join pg_roles as former on former.oid = acl.grantee
        inner join role_moves as moves on moves.former = former.rolname
        where schemas.nspname = any(lines)
    loop
        execute statement;
    end loop;

    -- What dbt will make.
    for statement in
        select format('alter default privileges for role %I in schema %I grant %s on tables to %I',
            makers.own, schemas.nspname, string_agg(distinct acl.privilege_type, ', '), moves.own)
        from pg_default_acl as defaults
        inner join pg_namespace as schemas on schemas.oid = defaults.defaclnamespace
        inner join pg_roles as maker on maker.oid = defaults.defaclrole
        inner join role_moves as makers on makers.former = maker.rolname and makers.purpose <> 'loader'
        cross join lateral aclexplode(defaults.defaclacl) as acl
        inner join pg_roles as former on former.oid = acl.grantee
        inner join role_moves as moves on moves.former = former.rolname
        where defaults.defaclobjtype = 'r' and schemas.nspname = any(lines)
        group by makers.own, schemas.nspname, moves.own
        union all
        select distinct format('alter default privileges for role %I in schema %I revoke all on tables from %I',
            maker.rolname, schemas.nspname, former.rolname)
        from pg_default_acl as defaults
        inner join pg_namespace as schemas on schemas.oid = defaults.defaclnamespace
        inner join pg_roles as maker on maker.oid = defaults.defaclrole
        inner join role_moves as makers on makers.former = maker.rolname
        cross join lateral aclexplode(defaults.defaclacl) as acl
        inner join pg_roles as former on former.oid = acl.grantee
        where defaults.defaclobjtype = 'r' and schemas.nspname = any(lines)
    loop
        execute statement;
    end loop;
end
$$;
