-- Purpose: how long a game session lives after its launch or its last accepted call: the one place that says so.
create or replace function casino.session_life()
returns interval
language sql immutable parallel safe
begin atomic
    select interval '30 minutes';
end;
