-- Purpose: the provider of a session: that of its game at the launch. Outcome: null for a session that there is not.
create or replace function casino.provider_of_session(p_ledger_id integer, p_session_id uuid)
returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select provider_id from casino.game_sessions where ledger_id = p_ledger_id and session_id = p_session_id;
$$;
