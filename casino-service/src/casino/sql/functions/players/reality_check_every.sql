-- Purpose: how long a player plays until the next reality check is due.
create or replace function casino.reality_check_every()
returns interval
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select interval '60 minutes';
$$;
