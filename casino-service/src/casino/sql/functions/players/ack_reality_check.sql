-- Purpose: the player has seen the reality check: the next one is due an hour later.
-- Outcome: when, or null while the player has no play session.
-- Locks: the play session.
create or replace function casino.ack_reality_check(p_ledger_id integer, p_player_id text)
returns timestamptz
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    update casino.play_sessions
    set check_due_at = casino.clock() + casino.reality_check_every()
    where ledger_id = p_ledger_id and play_session_id = casino.running_play_session(p_ledger_id, p_player_id)
        and casino.sees(p_ledger_id, tenant_id)
    returning check_due_at;
$$;
