-- Purpose: note where a session was launched from: its launch is its first use.
-- Outcome: none; a session that is bound already stays as it is.
-- Locks: the session.
create or replace function casino.bind_session_fingerprint(p_ledger_id integer, p_session_id uuid, p_fingerprint bytea)
returns void
language sql volatile security definer
set search_path = ''
as $$
    update casino.game_sessions
    set fingerprint = p_fingerprint
    where ledger_id = p_ledger_id and session_id = p_session_id and fingerprint is null;
$$;
