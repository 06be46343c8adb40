-- Purpose: the status of a limit of a player as it is now: ACTIVE, PENDING, REPLACED, or ENDED with the play session that it was of.
create or replace function casino.limit_status(p_limit casino.player_limits)
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select case
        when (p_limit).status = 'ACTIVE' and (p_limit).play_session_id is not null
            and (p_limit).play_session_id
            is distinct from casino.running_play_session((p_limit).ledger_id, (p_limit).player_id) then 'ENDED'
        else (p_limit).status
    end;
$$;
