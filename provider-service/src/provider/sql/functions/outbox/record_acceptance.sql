-- Purpose: record that the wallet accepted a call.
-- Outcome: the transaction's state afterwards, and whether this call changed it. A debit that recovery gave up
--   meanwhile stays given up: its rollback is pending. A second answer changes nothing.
-- An accepted rollback also ends its bet. A payout that ends its round also settles the round's bets.
-- p_head_*: the head of the wallet's chain in the answer; null when the wallet keeps no chain.
-- Locks: provider.lock_around, the transaction, the bets that are settled.
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
declare
    v_transaction provider.wallet_transactions;
    v_now timestamptz;
begin
    perform provider.lock_around(p_transaction_id);
    select t.* into strict v_transaction
    from provider.wallet_transactions as t where t.transaction_id = p_transaction_id for no key update;
    if v_transaction.state <> 'pending' or v_transaction.in_doubt_at is not null then
        o_state := v_transaction.state;
        o_applied := false;
        return;
    end if;
    v_now := provider.clock();
    update provider.wallet_transactions
    set state = 'committed', due_at = null, outcome_code = 'ok', balance_after_minor = p_balance_after_minor,
        tombstone = p_tombstone, deliveries = deliveries + 1, attempts = attempts + p_attempts, answered_at = v_now,
        head_sequence = p_head_sequence, head_hash = p_head_hash
    where transaction_id = p_transaction_id;
    if v_transaction.kind = 'rollback' then
        perform provider.take_back_bet(v_transaction.original_transaction_id, p_transaction_id);
    elsif v_transaction.kind = 'credit' and v_transaction.end_round then
        perform provider.settle_round(v_transaction.round_id, 'paid');
    end if;
    o_state := 'committed';
    o_applied := true;
end;
$$;
