-- Purpose: record that the wallet accepted a call, as its feed tells. For reconciliation, which handles one at a time, and
--   for processes of the release before.
-- Outcome: see provider.record_outcomes.
-- Locks: provider.lock_around, the transaction, the bets that are settled. Waits for them.
create or replace function provider.record_acceptance(
    p_transaction_id uuid,
    p_balance_after_minor bigint,
    p_tombstone boolean,
    p_attempts bigint,
    p_head_sequence bigint,
    p_head_hash text,
    out o_state text,
    out o_applied boolean
)
returns record
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform provider.lock_around(p_transaction_id);
    perform from provider.wallet_transactions as t where t.transaction_id = p_transaction_id for no key update;
    select told.o_state, told.o_applied into strict o_state, o_applied
    from provider.record_outcomes(jsonb_build_array(jsonb_build_object(
        'session_id', gen_random_uuid(), 'transaction_id', p_transaction_id, 'verdict', 'accepted', 'code', 'ok',
        'balance_minor', p_balance_after_minor, 'tombstone', p_tombstone, 'tries', p_attempts,
        'head_sequence', p_head_sequence, 'head_hash', p_head_hash
    )), '{}') as told;
end;
$$;
