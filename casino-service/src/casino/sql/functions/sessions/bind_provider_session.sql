-- Purpose: note the id that the provider gave to a session of ours.
create or replace function casino.bind_provider_session(p_ledger_id integer, p_session_id uuid, p_provider_session_id text)
returns void
language sql volatile security definer
set search_path = ''
as $$
    update casino.game_sessions
    set provider_session_id = p_provider_session_id
    where ledger_id = p_ledger_id and session_id = p_session_id;
$$;
