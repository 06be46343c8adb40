-- Purpose: stop a session: it takes no new bet. The outbox still sends its payouts and rollbacks.
-- Locks: the session.
create or replace function provider.stop_session(p_provider_session_id uuid, p_code text)
returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    update provider.game_sessions
    set state = 'stopped', stopped_code = p_code, stopped_at = provider.clock()
    where provider_session_id = p_provider_session_id and state = 'open';
$$;
