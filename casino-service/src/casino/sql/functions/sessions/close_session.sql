-- Purpose: close a session: it takes no new debit; credits and rollbacks of its bets are still accepted.
create or replace function casino.close_session(p_ledger_id integer, p_session_id uuid)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    update casino.game_sessions
    set closed_at = coalesce(closed_at, casino.clock())
    where ledger_id = p_ledger_id and session_id = p_session_id;
$$;
