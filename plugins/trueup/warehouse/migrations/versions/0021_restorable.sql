-- A dump of a warehouse restores without a hand's help. A body given as text finds its functions by name whenever it is
-- called, with the rights of who owns the index that calls it: pg_restore makes indexes before it gives any rights, and
-- so the index on products failed. A body that is parsed here names its functions for good.
create or replace function governance.code_key(code text) returns text
language sql immutable parallel safe
return case
    when code !~ '[^!-~]' then nullif(lower(code collate "C"), '')
    else governance.fold_code(governance.clean_code(code))
end;

create function governance.gtin_of_digits(digits text) returns text
language plpgsql immutable parallel safe
as $body$
declare
    number bigint;
begin
    if digits is null or digits !~ '^[0-9]+$' or length(digits) not in (8, 12, 13, 14) then
        return null;
    end if;
    number := digits::bigint;
    -- From the right: the check digit and every second one count once, those between three times.
    if number = 0 or (
        number + number / 100 % 10 + number / 10000 % 10 + number / 1000000 % 10 + number / 100000000 % 10
        + number / 10000000000 % 10 + number / 1000000000000 % 10
        + 3 * (
            number / 10 % 10 + number / 1000 % 10 + number / 100000 % 10 + number / 10000000 % 10
            + number / 1000000000 % 10 + number / 100000000000 % 10 + number / 10000000000000 % 10
        )
    ) % 10 <> 0 then
        return null;
    end if;
    return lpad(digits, 14, '0');
end
$body$;
comment on function governance.gtin_of_digits is 'The GTIN in 14 digits; null for digits that are none. Asks no other function of ours.';

create or replace function governance.gtin_key(code text) returns text
language sql immutable parallel safe
return governance.gtin_of_digits(
    case
        when code ~ '^[0-9]+$' then code
        else regexp_replace(governance.clean_code(code), '[ \u002d\u2010-\u2015\u2212]', '', 'g')
    end
);
