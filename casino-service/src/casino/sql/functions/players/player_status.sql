-- Purpose: the status of a player as the platform tells it: CLOSED, EXCLUDED, FROZEN or ACTIVE, the first that applies.
create or replace function casino.player_status(p_status text, p_excluded_until timestamptz, p_now timestamptz)
returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select case
        when p_status = 'CLOSED' then 'CLOSED'
        when p_excluded_until > p_now then 'EXCLUDED'
        else p_status
    end;
$$;
