-- Purpose: delete launch codes that ended an hour ago, and play tokens of stopped sessions and demo sessions (after their
--   rounds) that began a day ago.
-- Outcome: how many rows, at most p_limit of each kind: a demo session may have more rounds than one statement can delete.
-- Locks: the rows; locked ones are skipped.
create or replace function provider.prune_play(p_limit integer)
returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now constant timestamptz := provider.clock();
    v_count integer;
    v_total integer := 0;
begin
    delete from provider.launch_codes where code_sha256 in (
        select code.code_sha256 from provider.launch_codes as code
        where code.expires_at < v_now - interval '1 hour' limit p_limit for update skip locked
    );
    get diagnostics v_count = row_count;
    v_total := v_total + v_count;
    delete from provider.play_tokens where token_sha256 in (
        select token.token_sha256 from provider.play_tokens as token
        join provider.game_sessions as s on s.provider_session_id = token.provider_session_id
        where token.created_at < v_now - interval '1 day' and s.state <> 'open' limit p_limit for update of token skip locked
    );
    get diagnostics v_count = row_count;
    v_total := v_total + v_count;
    delete from provider.demo_rounds where round_id in (
        select r.round_id from provider.demo_sessions as demo
        join provider.demo_rounds as r on r.demo_id = demo.demo_id
        where demo.created_at < v_now - interval '1 day' limit p_limit
    );
    get diagnostics v_count = row_count;
    v_total := v_total + v_count;
    delete from provider.demo_sessions where demo_id in (
        select demo.demo_id from provider.demo_sessions as demo
        where demo.created_at < v_now - interval '1 day'
            and not exists (select from provider.demo_rounds as r where r.demo_id = demo.demo_id)
        limit p_limit for update skip locked
    );
    get diagnostics v_count = row_count;
    return v_total + v_count;
end;
$$;
