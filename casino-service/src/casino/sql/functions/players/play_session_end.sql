-- Purpose: when a play session is over if nothing more happens in it: six hours after its last login or bet.
create or replace function casino.play_session_end(p_session casino.play_sessions)
returns timestamptz
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select casino.play_session_life() + greatest((p_session).last_login_at, (
        select max(last_bet_at) from casino.game_sessions
        where ledger_id = (p_session).ledger_id and wallet_id = (p_session).wallet_id
            and play_session_id = (p_session).play_session_id
    ));
$$;
