-- What it takes to put an exception back on the line, and what landing left out on purpose.
alter table exceptions.queue add column context jsonb not null default '{}';
comment on column exceptions.queue.context is
    'What replay needs beside the payload: for a contract violation the record''s occurred_at, source_version and arrival.';

alter table audit.landings add column late_count bigint not null default 0;
comment on column audit.landings.late_count is
    'State records observed before what was already landed of their key: they say nothing about now, so they were not landed.';
create index on audit.landings (system_id, stream, landing_id);
