-- What a correction needs to be settled, held, measured and explained.
alter table outbox.corrections add column hold_id bigint references outbox.holds;
alter table outbox.corrections add column facts_received_at timestamptz;
alter table outbox.corrections add column sent_at timestamptz;
alter table outbox.corrections add column settled_at timestamptz;
alter table outbox.corrections add column is_replayed boolean not null default false;

comment on column outbox.corrections.facts_received_at is
    'Our clock when the newest fact behind the decision was landed: where freshness is measured from.';
comment on column outbox.corrections.sent_at is 'Our clock just before the newest attempt was sent.';
comment on column outbox.corrections.settled_at is
    'Our clock when it reached an end. What was read from the channel before then says nothing about it.';
comment on column outbox.corrections.is_replayed is 'A person asked for an ended decision to be made again from the same facts.';

create index on outbox.corrections (channel, record_id, field, correction_id desc);
create index on outbox.corrections (hold_id) where hold_id is not null;
create index on outbox.corrections (verified_at) where verified_at is not null;
create index on outbox.read_backs (key);

-- A hold whose corrections were all superseded by newer decisions has nothing left to decide.
alter table outbox.holds drop constraint holds_decision_check;
alter table outbox.holds add constraint holds_decision_check check (decision in ('approved', 'rejected', 'withdrawn'));
