-- Purpose: the seconds from one instant to another, with microseconds; 0 if the second is not later, or one is null.
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
create or replace function casino.elapsed_seconds(p_from timestamptz, p_until timestamptz)
returns numeric
language sql immutable parallel safe
begin atomic
    select greatest(extract(epoch from p_until - p_from), 0);
end;
