-- Only for processes of the release before, which may run beside this one. Delete this folder in the next release.
-- Purpose: end the bet of a rollback that the wallet refused.
-- A bet in doubt becomes refused when the wallet never knew its session, and committed otherwise; reconciliation then
-- reports the rollback's difference. A committed bet stays committed. If the wallet never knew its session, the
-- rollback gets a difference code.
-- Locks: none. The caller has locked the bet with provider.lock_around.
create or replace function provider.keep_bet(
    p_original_transaction_id uuid,
    p_rollback_transaction_id uuid,
    p_never_known boolean
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_bet provider.wallet_transactions;
begin
    select t.* into v_bet
    from provider.wallet_transactions as t
    where t.transaction_id = p_original_transaction_id and t.kind = 'debit';
    if v_bet.state = 'pending' then
        update provider.wallet_transactions
        set state = case when p_never_known then 'refused' else 'committed' end,
            due_at = null, ended_at = provider.clock()
        where transaction_id = p_original_transaction_id;
    elsif v_bet.state = 'committed' and p_never_known then
        update provider.wallet_transactions
        set difference_code = 'committed_bet_never_known'
        where transaction_id = p_rollback_transaction_id;
    end if;
end;
$$;
