---------------------------------------------------------------- which channels are told of parcels, and by whom
create table governance.fulfilment_channels (
    channel text primary key,
    system_id text not null,
    confirmed_by text not null,
    grace_minutes integer not null,
    waits_for_tracking boolean not null,
    notifies_customers boolean not null,
    shipping_minutes integer not null,
    recording_minutes integer not null,
    delivering_minutes integer not null
);
comment on table governance.fulfilment_channels is
    'The channels that are told what left: by whom, how long that one may take, and after how many minutes what is stuck.';
grant select on governance.fulfilment_channels
to trueup_configurator, trueup_loader, trueup_transformer, trueup_proposer, trueup_operator;
grant insert, delete on governance.fulfilment_channels to trueup_configurator;

create table governance.fulfilment_locations (
    channel text not null,
    location_id text not null,
    source_location_id text not null,
    primary key (channel, location_id)
);
comment on table governance.fulfilment_locations is
    'The locations whose parcels a channel is told of, in the channel''s own ids.';
grant select on governance.fulfilment_locations
to trueup_configurator, trueup_loader, trueup_transformer, trueup_proposer, trueup_operator;
grant insert, delete on governance.fulfilment_locations to trueup_configurator;
