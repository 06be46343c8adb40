-- Only for processes of the release before, which may run beside this one. Delete this folder in the next release.
-- Purpose: record a rollback that a round or a repair asks for, before it is sent.
-- Outcomes: 'recorded'; 'already_recorded' (a bet has one rollback id, so another caller recorded it);
--   'round_not_found'.
-- The round may have ended: the wallet decides. The amount is the bet's, or 0 when the bet is not in this round.
-- Locks: the round.
create or replace function provider.record_rollback(
    p_transaction_id uuid,
    p_original_transaction_id uuid,
    p_round_id uuid,
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
    v_lease_until timestamptz;
begin
    perform from provider.rounds as r where r.round_id = p_round_id for no key update;
    if not found then
        return 'round_not_found';
    end if;
    select s.* into v_session
    from provider.game_sessions as s
    where s.provider_session_id = (
        select r.provider_session_id from provider.rounds as r where r.round_id = p_round_id
    );
    v_lease_until := provider.clock() + make_interval(secs => p_lease_seconds);
    insert into provider.wallet_transactions (
        transaction_id, kind, reason, provider_session_id, round_id, amount_minor, currency,
        original_transaction_id, request_id, due_at
    )
    values (
        p_transaction_id, 'rollback', p_reason, v_session.provider_session_id, p_round_id,
        coalesce((
            select t.amount_minor from provider.wallet_transactions as t
            where t.transaction_id = p_original_transaction_id and t.round_id = p_round_id and t.kind = 'debit'
        ), 0),
        v_session.currency, p_original_transaction_id, p_request_id, v_lease_until
    )
    on conflict (transaction_id) do nothing;
    if not found then
        return 'already_recorded';
    end if;
    update provider.rounds set lease_until = v_lease_until where round_id = p_round_id and state = 'open';
    return 'recorded';
end;
$$;
