-- Purpose: note the id that the provider gave to a session of ours, and where the session was launched from: its launch is
--   its first use.
-- Outcome: none; a session that is bound to a client already stays with that one.
-- Locks: the session.
drop function if exists casino.bind_provider_session(integer, uuid, text);
create or replace function casino.bind_provider_session(
    p_ledger_id integer, p_session_id uuid, p_provider_session_id text, p_fingerprint bytea
)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    update casino.game_sessions
    set provider_session_id = p_provider_session_id, fingerprint = coalesce(fingerprint, p_fingerprint)
    where ledger_id = p_ledger_id and session_id = p_session_id;
$$;
