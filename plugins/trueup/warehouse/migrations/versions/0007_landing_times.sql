-- Which landing brought a fact is looked up by time when a difference's age is split by hop.
create index on audit.landings (finished_at);
