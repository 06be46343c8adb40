-- Only for processes of the release before, which may run beside this one. Delete this folder in the next release.
-- Purpose: record that the wallet refused a call.
-- Outcome: the transaction's state afterwards, and whether this call changed it (see record_acceptance).
-- p_never_known: the wallet does not know the session or the round, so it did not take a bet in doubt.
-- p_contradicts: the wallet must not refuse this call; the row gets a difference code.
-- A refused payout also ends its round; an operator resolves the difference.
-- Locks: provider.lock_around, the transaction, the bets that are settled.
create or replace function provider.record_refusal(
    p_transaction_id uuid,
    p_code text,
    p_never_known boolean,
    p_contradicts boolean,
    p_attempts bigint,
    out o_state text,
    out o_applied boolean
)
returns record
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_transaction provider.wallet_transactions;
begin
    perform provider.lock_around(p_transaction_id);
    select t.* into strict v_transaction
    from provider.wallet_transactions as t where t.transaction_id = p_transaction_id for no key update;
    if v_transaction.state <> 'pending' or v_transaction.in_doubt_at is not null then
        o_state := v_transaction.state;
        o_applied := false;
        return;
    end if;
    update provider.wallet_transactions
    set state = 'refused', due_at = null, outcome_code = p_code, deliveries = deliveries + 1,
        attempts = attempts + p_attempts,
        difference_code = case when p_contradicts then p_code end, answered_at = provider.clock()
    where transaction_id = p_transaction_id;
    if v_transaction.kind = 'rollback' then
        perform provider.keep_bet(v_transaction.original_transaction_id, p_transaction_id, p_never_known);
    elsif v_transaction.kind = 'credit' then
        perform provider.settle_round(v_transaction.round_id, 'payout_refused');
    end if;
    o_state := 'refused';
    o_applied := true;
end;
$$;
