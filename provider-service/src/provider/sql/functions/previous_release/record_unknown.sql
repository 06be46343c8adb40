-- Only for processes of the release before, which may run beside this one. Delete this folder in the next release.
-- Purpose: record that the outcome of a call is unknown.
-- Outcome: the transaction's state afterwards, and whether this call changed it (see record_acceptance).
-- A debit is given up, and its rollback is recorded in the same transaction, due at once. A payout or rollback is due
-- again after p_retry_seconds with the same id, without a limit on retries.
-- Locks: the transaction.
create or replace function provider.record_unknown(
    p_transaction_id uuid,
    p_code text,
    p_retry_seconds double precision,
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
    select t.* into strict v_transaction
    from provider.wallet_transactions as t where t.transaction_id = p_transaction_id for no key update;
    o_state := v_transaction.state;
    o_applied := v_transaction.state = 'pending' and v_transaction.in_doubt_at is null;
    if not o_applied then
        return;
    end if;
    update provider.wallet_transactions
    set outcome_code = p_code, deliveries = deliveries + 1, attempts = attempts + p_attempts,
        due_at = provider.clock() + make_interval(secs => p_retry_seconds)
    where transaction_id = p_transaction_id;
    if v_transaction.kind = 'debit' then
        perform provider.give_up_bet(p_transaction_id, 'unknown_outcome');
    end if;
end;
$$;
