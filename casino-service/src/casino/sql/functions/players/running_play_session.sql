-- Purpose: the play session in which a player's next bet counts. Outcome: its id, or null while none runs.
create or replace function casino.running_play_session(p_ledger_id integer, p_player_id text)
returns uuid
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select play_session_id
    from casino.play_sessions
    where ledger_id = p_ledger_id and player_id = p_player_id and ended_at is null
        and casino.play_session_end(play_sessions) > casino.clock();
$$;
