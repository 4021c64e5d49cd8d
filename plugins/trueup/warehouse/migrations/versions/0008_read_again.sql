-- Where polls go on once they have asked again, from cursor, for what a read refused.
alter table raw.stream_positions add column next_cursor jsonb;
