-- A rule that had nothing to validate is neither passed nor failed.
alter table gates.results add column status text;
update gates.results set status = case
    when error is not null then 'error'
    when is_passed then 'passed'
    -- The largest, the mean or the sum of no value is none: what was kept of it was called a failure.
    when unexpected_sample ->> 'observed' is null and expectation_type in (
        'expect_column_max_to_be_between', 'expect_column_min_to_be_between', 'expect_column_mean_to_be_between',
        'expect_column_proportion_of_non_null_values_to_be_between'
    ) then 'not_applicable'
    when
        expectation_type = 'expect_column_sum_to_be_between' and unexpected_sample ->> 'observed' is null
        and unexpected_sample ->> 'least' is null
        then 'not_applicable'
    else 'failed'
end;
alter table gates.results alter column status set not null;
alter table gates.results add constraint results_status_check
check (status in ('passed', 'failed', 'not_applicable', 'error'));
alter table gates.results drop column is_passed;
comment on column gates.results.status is
    'passed, failed, not_applicable (there was nothing to validate) or error (it could not be validated).';

-- A channel is one kind of target: what was changed there by somebody else has one name for all of them.
update outbox.corrections set cause = 'edited' where cause = 'channel_edit';
