-- Purpose: write down what the wallet answered to a payout or a rollback that these books hold committed and that the
--   wallet had lost: its answer counts from now on. State and money stay as they are.
-- Locks: the transaction.
create or replace function provider.record_repetition(
    p_transaction_id uuid,
    p_balance_after_minor bigint,
    p_tombstone boolean,
    p_head_sequence bigint,
    p_head_hash text
)
returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    update provider.wallet_transactions
    set balance_after_minor = p_balance_after_minor, tombstone = p_tombstone, answered_at = provider.clock(),
        deliveries = deliveries + 1, head_sequence = p_head_sequence, head_hash = p_head_hash
    where transaction_id = p_transaction_id and kind in ('credit', 'rollback') and state = 'committed';
$$;
