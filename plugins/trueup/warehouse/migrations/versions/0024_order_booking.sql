---------------------------------------------------------------- which orders are booked where, and by whom
create table governance.order_booking (
    system_id text primary key,
    booked_in text not null,
    booked_by text not null,
    grace_minutes integer not null,
    waits_for_payment boolean not null
);
comment on table governance.order_booking is
    'The systems whose orders are booked in an ERP: in which, by whom, and how long that one may take before Trueup books.';
grant select on governance.order_booking
to trueup_configurator, trueup_loader, trueup_transformer, trueup_proposer, trueup_operator;
grant insert, delete on governance.order_booking to trueup_configurator;

create table governance.system_options (
    system_id text not null,
    name text not null,
    value text not null,
    primary key (system_id, name)
);
comment on table governance.system_options is
    'What the writers of a system are told of the retailer''s account, such as the item that shipping is booked on.';
grant select on governance.system_options
to trueup_configurator, trueup_loader, trueup_transformer, trueup_proposer, trueup_operator;
grant insert, delete on governance.system_options to trueup_configurator;
