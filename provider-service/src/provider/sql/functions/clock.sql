-- Purpose: the one "now" of the provider schema. Outcome: the database's wall clock.
-- Tests replace the function. No setting of a session can change its result.
create or replace function provider.clock()
returns timestamptz
language sql volatile parallel safe
begin atomic
    select clock_timestamp();
end;
