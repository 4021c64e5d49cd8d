---------------------------------------------------------------- whose refunds are credited where, and by whom
create table governance.return_handling (
    system_id text primary key,
    credited_in text not null,
    credited_by text not null,
    credit_grace_minutes integer not null,
    refunded_by text not null,
    refund_grace_minutes integer not null,
    received_within_days integer not null,
    restocked_within_hours integer not null
);
comment on table governance.return_handling is
    'The systems whose refunds are credited in an ERP: in which, by whom, and how long each leg of a return may take.';
grant select on governance.return_handling
to trueup_configurator, trueup_loader, trueup_transformer, trueup_proposer, trueup_operator;
grant insert, delete on governance.return_handling to trueup_configurator;
