-- Purpose: add to a total that only ever informs: what a session staked and paid. No bet or win may fail because of it.
-- Outcome: the sum, or 2^63 - 1 where that would be passed; from there nothing is taken off again, for the rest is unknown.
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
create or replace function casino.capped_sum(p_total_minor bigint, p_added_minor bigint)
returns bigint
language sql immutable parallel safe
begin atomic
    select case
        when p_total_minor > 9223372036854775807 - greatest(p_added_minor, 0) then 9223372036854775807
        when p_total_minor = 9223372036854775807 then p_total_minor
        else p_total_minor + p_added_minor
    end;
end;
