-- Purpose: stop sessions without a round in the last p_idle_seconds; their tokens have expired.
-- Outcome: how many were stopped, at most p_limit. A session with an open round or a pending transaction stays open.
-- Locks: the sessions; locked ones are skipped.
create or replace function provider.stop_stale_sessions(p_idle_seconds double precision, p_limit integer)
returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz;
    v_idle_since timestamptz;
    v_count integer;
begin
    v_now := provider.clock();
    v_idle_since := v_now - make_interval(secs => p_idle_seconds);
    with stale as materialized (
        select s.provider_session_id
        from provider.game_sessions as s
        where s.state = 'open' and s.created_at < v_idle_since
            and not exists (
                select from provider.rounds as r
                where r.provider_session_id = s.provider_session_id
                    and (r.state = 'open' or r.created_at >= v_idle_since)
            )
            and not exists (
                select from provider.wallet_transactions as t
                where t.provider_session_id = s.provider_session_id and t.state = 'pending'
            )
        order by s.created_at
        limit p_limit
        for no key update skip locked
    )
    update provider.game_sessions as s
    set state = 'stopped', stopped_code = 'stale', stopped_at = v_now
    from stale
    where s.provider_session_id = stale.provider_session_id;
    get diagnostics v_count = row_count;
    return v_count;
end;
$$;
