-- Purpose: record the rollback of a bet, due at once, and mark a bet without a known outcome as in doubt.
-- The bet fixes the rollback's id, so giving up twice records one rollback.
-- Locks: the bet.
create or replace function provider.give_up_bet(p_transaction_id uuid, p_reason text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz;
begin
    v_now := provider.clock();
    update provider.wallet_transactions
    set in_doubt_at = v_now, due_at = null, outcome_code = coalesce(outcome_code, p_reason)
    where transaction_id = p_transaction_id and state = 'pending' and in_doubt_at is null;
    insert into provider.wallet_transactions (
        transaction_id, kind, reason, provider_session_id, round_id, amount_minor, currency,
        original_transaction_id, request_id, due_at
    )
    select
        t.rollback_transaction_id, 'rollback', p_reason, t.provider_session_id, t.round_id, t.amount_minor, t.currency,
        t.transaction_id, t.request_id, coalesce(t.in_doubt_at, v_now)
    from provider.wallet_transactions as t
    where t.transaction_id = p_transaction_id and t.state in ('pending', 'committed')
    on conflict (transaction_id) do nothing;
end;
$$;
