-- Purpose: open rounds, one per session, leased to the calling process.
-- Outcomes, per session: 'opened'; 'session_not_found'; 'session_stopped'; 'session_busy' (the session has an open round,
--   or a pending bet or rollback).
-- again: the same step was executed before with an unknown outcome; then its own round counts as opened.
-- Locks: none of its own. provider.lock_steps has locked the sessions.
create or replace function provider.open_rounds(
    p_openings jsonb, p_lease_seconds double precision, p_busy_session_ids uuid[]
)
returns table (o_session_id uuid, o_outcome text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now constant timestamptz := provider.clock();
begin
    return query
    with judged as materialized (
        select opening.*, case
            when s.provider_session_id is null then 'session_not_found'
            when opening.again and (
                select true from provider.rounds as r where r.round_id = opening.round_id
            ) then 'opened_before'
            when s.state <> 'open' then 'session_stopped'
            when (
                select true from provider.rounds as r
                where r.provider_session_id = opening.session_id and r.state = 'open' limit 1
            ) then 'session_busy'
            when (
                select true from provider.wallet_transactions as t
                where t.provider_session_id = opening.session_id
                    and t.state = 'pending' and t.kind in ('debit', 'rollback') limit 1
            ) then 'session_busy'
            else 'opened'
        end as verdict
        from jsonb_to_recordset(p_openings) as opening (
            session_id uuid, round_id uuid, kind text, request_id text, again boolean
        )
        left join provider.game_sessions as s on s.provider_session_id = opening.session_id
        where opening.session_id <> all (p_busy_session_ids)
    ),
    opened as (
        insert into provider.rounds (round_id, provider_session_id, kind, lease_until, request_id, created_at)
        select j.round_id, j.session_id, j.kind, v_now + make_interval(secs => p_lease_seconds), j.request_id, v_now
        from judged as j
        where j.verdict = 'opened'
    )
    select j.session_id, case j.verdict when 'opened_before' then 'opened' else j.verdict end from judged as j;
end;
$$;
