-- Purpose: record the wallet's answer to a committed payout or rollback that the wallet had lost and that was sent
--   again. The new balance and head replace the old ones; state and amount do not change.
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
