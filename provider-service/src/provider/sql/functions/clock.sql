-- Purpose: the one "now" of the provider schema. Outcome: the database's wall clock.
-- Tests put another function in its place: nothing that a caller sets may move it.
create or replace function provider.clock()
returns timestamptz
language sql volatile parallel safe
begin atomic
    select clock_timestamp();
end;
