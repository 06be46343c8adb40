-- Purpose: create the game session of a casino's session, and its player, unless they exist.
-- Outcome: the stored session. A second launch with other content gets the first one unchanged; the caller compares.
-- Locks: waits only for an uncommitted launch of the same session or player.
create or replace function provider.launch_session(
    p_provider_session_id uuid,
    p_casino_code text,
    p_casino_session_id text,
    p_user_id text,
    p_game_code text,
    p_currency text,
    p_token_sealed bytea
)
returns provider.game_sessions
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_session provider.game_sessions;
begin
    insert into provider.players (casino_code, user_id) values (p_casino_code, p_user_id)
    on conflict (casino_code, user_id) do nothing;
    insert into provider.game_sessions (
        provider_session_id, casino_code, casino_session_id, player_id, user_id, game_code, currency, token_sealed
    )
    select p_provider_session_id, p_casino_code, p_casino_session_id, p.player_id, p_user_id, p_game_code, p_currency,
        p_token_sealed
    from provider.players as p
    where p.casino_code = p_casino_code and p.user_id = p_user_id
    on conflict (casino_code, casino_session_id) do nothing;
    -- A separate statement sees a session that was committed while the insert waited.
    select s.* into strict v_session
    from provider.game_sessions as s
    where s.casino_code = p_casino_code and s.casino_session_id = p_casino_session_id;
    return v_session;
end;
$$;
