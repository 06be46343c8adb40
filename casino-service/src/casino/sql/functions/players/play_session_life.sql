-- Purpose: how long after its last login or bet a play session ends.
create or replace function casino.play_session_life()
returns interval
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select interval '6 hours';
$$;
