-- Quarantine by entity and record, stops by entity and target. Null, as in every row of before: all.
drop view gates.withheld;
alter table gates.quarantine rename column sku to subject_key;
alter table gates.quarantine rename column channel to target_system;
alter table gates.quarantine add column entity text;
alter table gates.stops rename column channel to target_system;
alter table gates.stops add column entity text;
comment on column gates.quarantine.subject_key is
    'What the failed row is about: changes of it are withheld. Null: the row is kept, and withholds nothing.';

create view gates.withheld as
select
    'quarantine'::text as kind, quarantine_id as withheld_id, entity, subject_key, target_system, rule_id,
    'quarantine by ' || rule_id as withheld_by, reason, quarantined_at as since
from gates.quarantine
where released_at is null and subject_key is not null
union all
select
    'stop', stop_id, entity, null, target_system, rule_id, 'gate ' || suite || ' (' || rule_id || ')', reason, stopped_at
from gates.stops
where released_at is null
union all
select 'switch', null, null, null, target_system, null, 'stopped by ' || stopped_by, reason, stopped_at
from outbox.kill_switches;
comment on view gates.withheld is
    'What may not be pushed now, by which rule and since when. Everybody asks here: nobody asks the tables under it.';
grant select on gates.withheld to trueup_transformer, trueup_proposer, trueup_operator;
