-- Purpose: trade a launch code for a play token, once.
-- Outcomes: null with the session; 'launch_code_invalid' (unknown, used, expired, or its session has ended);
--   'game_not_found' (the code is another game's, and stays good).
-- Locks: the code: of two calls at once one gets the session.
create or replace function provider.use_launch_code(
    p_code_sha256 text, p_game_code text, p_token_sha256 text, p_user_agent_sha256 text, p_network text
)
returns table (o_code text, o_session_id uuid)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now constant timestamptz := provider.clock();
    v_session_id uuid;
    v_game_code text;
begin
    select code.provider_session_id into v_session_id
    from provider.launch_codes as code
    where code.code_sha256 = p_code_sha256 and code.used_at is null and code.expires_at > v_now
    for update;
    if found then
        select s.game_code into v_game_code
        from provider.game_sessions as s where s.provider_session_id = v_session_id and s.state = 'open';
    end if;
    if v_game_code is null then
        return query select 'launch_code_invalid', null::uuid;
    elsif v_game_code <> p_game_code then
        return query select 'game_not_found', null::uuid;
    else
        update provider.launch_codes as code set used_at = v_now where code.code_sha256 = p_code_sha256;
        insert into provider.play_tokens (token_sha256, provider_session_id, user_agent_sha256, network)
        values (p_token_sha256, v_session_id, p_user_agent_sha256, p_network);
        return query select null::text, v_session_id;
    end if;
end;
$$;
