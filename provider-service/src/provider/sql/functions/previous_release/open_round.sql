-- Only for processes of the release before, which may run beside this one. Delete this folder in the next release.
-- Purpose: open a round of a session, leased to the calling process.
-- Outcomes: 'opened'; 'session_not_found'; 'session_stopped'; 'session_busy' (the session has an open round, or a
--   pending bet or rollback).
-- Locks: the session.
create or replace function provider.open_round(
    p_round_id uuid,
    p_provider_session_id uuid,
    p_kind text,
    p_request_id text,
    p_lease_seconds double precision
)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_session_state text;
    v_now timestamptz;
begin
    select s.state into v_session_state
    from provider.game_sessions as s
    where s.provider_session_id = p_provider_session_id
    for no key update;
    if not found then
        return 'session_not_found';
    end if;
    if v_session_state <> 'open' then
        return 'session_stopped';
    end if;
    if exists (
        select from provider.rounds as r
        where r.provider_session_id = p_provider_session_id and r.state = 'open'
    ) or exists (
        select from provider.wallet_transactions as t
        where t.provider_session_id = p_provider_session_id and t.state = 'pending' and t.kind in ('debit', 'rollback')
    ) then
        return 'session_busy';
    end if;
    v_now := provider.clock();
    insert into provider.rounds (round_id, provider_session_id, kind, lease_until, request_id, created_at)
    values (
        p_round_id, p_provider_session_id, p_kind, v_now + make_interval(secs => p_lease_seconds), p_request_id, v_now
    );
    return 'opened';
end;
$$;
