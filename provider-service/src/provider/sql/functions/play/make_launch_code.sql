-- Purpose: store a one-time launch code of a session, and what the launch says about the page.
-- Outcome: none. The newest launch of a session rules its page.
-- Locks: the session.
create or replace function provider.make_launch_code(
    p_session_id uuid, p_code_sha256 text, p_lives_seconds double precision,
    p_max_win_minor bigint, p_lobby_url text, p_cashier_url text, p_language text
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    update provider.game_sessions as s
    set max_win_minor = p_max_win_minor, lobby_url = p_lobby_url, cashier_url = p_cashier_url, language = p_language
    where s.provider_session_id = p_session_id
        and (s.max_win_minor, s.lobby_url, s.cashier_url, s.language)
            is distinct from (p_max_win_minor, p_lobby_url, p_cashier_url, p_language);
    insert into provider.launch_codes (code_sha256, provider_session_id, expires_at)
    values (p_code_sha256, p_session_id, provider.clock() + make_interval(secs => p_lives_seconds));
end;
$$;
