create schema reconciliation;
grant usage, create on schema reconciliation to trueup_transformer;
grant usage on schema reconciliation to trueup_proposer, trueup_operator, trueup_analyst;
alter default privileges for role trueup_transformer in schema reconciliation
grant select on tables to trueup_proposer, trueup_operator, trueup_analyst;

-- What a build made moves with its rows, rights and indexes, so that an open difference keeps since when it has been
-- wrong. Each is moved by its owner: nobody else may.
do $$
declare
    own_role constant name := current_user;
    relation record;
begin
    for relation in
        select tables.relname, tables.relkind, pg_get_userbyid(tables.relowner) as owner_name
        from pg_class as tables
        where tables.relnamespace = 'marts'::regnamespace
            and tables.relname in ('stock_differences', 'sla_stream_freshness')
    loop
        execute format('set local role %I', relation.owner_name);
        execute format('alter %s marts.%I set schema reconciliation',
            case relation.relkind when 'v' then 'view' else 'table' end, relation.relname);
        if relation.relname = 'stock_differences' then
            alter table reconciliation.stock_differences rename column sku to subject_key;
            alter table reconciliation.stock_differences rename column channel to target_system;
            alter table reconciliation.stock_differences rename column channel_record_id to record_ref;
            alter table reconciliation.stock_differences add column entity text not null default 'stock';
            alter table reconciliation.stock_differences add column field text;
            alter table reconciliation.stock_differences add column shown jsonb;
            alter table reconciliation.stock_differences add column desired jsonb;
            update reconciliation.stock_differences set
                field = (
                    select channels.shows from governance.channels as channels
                    where channels.channel = stock_differences.target_system
                ),
                shown = to_jsonb(shown_quantity),
                desired = to_jsonb(target_quantity);
        end if;
        execute format('set local role %I', own_role);
    end loop;
end
$$;

-- The verdicts on it, and what they withhold, go with the table.
update gates.results set schema_name = 'reconciliation', suite = 'reconciliation_stock_differences'
where schema_name = 'marts' and table_name = 'stock_differences';
update gates.quarantine set schema_name = 'reconciliation'
where schema_name = 'marts' and table_name = 'stock_differences';
update gates.stops set suite = 'reconciliation_stock_differences' where suite = 'marts_stock_differences';
update gates.baselines set suite = 'reconciliation_stock_differences' where suite = 'marts_stock_differences';
