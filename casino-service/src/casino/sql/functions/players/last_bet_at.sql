-- Purpose: when the newest bet of a play session was placed, or null.
create or replace function casino.last_bet_at(p_ledger_id integer, p_wallet_id bigint, p_play_session_id uuid)
returns timestamptz
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select max(last_bet_at) from casino.game_sessions
    where ledger_id = p_ledger_id and wallet_id = p_wallet_id and play_session_id = p_play_session_id;
$$;
