-- Purpose: the play session in which a player's next bet counts. One begins when none runs, as with a login.
-- Outcome: its id; null for a player who is not there.
-- Locks: nothing while one runs; else the wallet and the player, see casino.begin_play_session.
create or replace function casino.enter_play_session(p_ledger_id integer, p_player_id text)
returns uuid
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(
        casino.running_play_session(p_ledger_id, p_player_id), casino.begin_play_session(p_ledger_id, p_player_id)
    );
$$;
