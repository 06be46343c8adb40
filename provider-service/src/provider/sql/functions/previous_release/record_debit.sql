-- Only for processes of the release before, which may run beside this one. Delete this folder in the next release.
-- Purpose: record a bet before it is sent, and lease it and its round to the caller.
-- Outcomes: 'recorded'; 'session_not_found'; 'session_stopped'; 'session_busy' (a bet or rollback of the session is
--   pending); 'round_closed'; 'round_has_payout'.
-- Locks: the session, then the round. With the session locked, a session has at most one pending bet in all processes.
create or replace function provider.record_debit(
    p_transaction_id uuid,
    p_rollback_transaction_id uuid,
    p_round_id uuid,
    p_amount_minor bigint,
    p_reason text,
    p_request_id text,
    p_lease_seconds double precision
)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_session provider.game_sessions;
    v_round_state text;
    v_lease_until timestamptz;
begin
    select s.* into v_session
    from provider.game_sessions as s
    where s.provider_session_id = (select r.provider_session_id from provider.rounds as r where r.round_id = p_round_id)
    for no key update;
    if not found then
        return 'session_not_found';
    end if;
    if v_session.state <> 'open' then
        return 'session_stopped';
    end if;
    select r.state into v_round_state from provider.rounds as r where r.round_id = p_round_id for no key update;
    if v_round_state <> 'open' then
        return 'round_closed';
    end if;
    if exists (
        select from provider.wallet_transactions as t
        where t.provider_session_id = v_session.provider_session_id
            and t.state = 'pending' and t.kind in ('debit', 'rollback')
    ) then
        return 'session_busy';
    end if;
    if exists (select from provider.wallet_transactions as t where t.round_id = p_round_id and t.kind = 'credit') then
        return 'round_has_payout';
    end if;
    v_lease_until := provider.clock() + make_interval(secs => p_lease_seconds);
    insert into provider.wallet_transactions (
        transaction_id, kind, reason, provider_session_id, round_id, amount_minor, currency,
        rollback_transaction_id, request_id, due_at
    )
    values (
        p_transaction_id, 'debit', p_reason, v_session.provider_session_id, p_round_id, p_amount_minor,
        v_session.currency, p_rollback_transaction_id, p_request_id, v_lease_until
    );
    update provider.rounds set lease_until = v_lease_until where round_id = p_round_id;
    return 'recorded';
end;
$$;
