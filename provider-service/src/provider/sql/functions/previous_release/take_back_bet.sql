-- Only for processes of the release before, which may run beside this one. Delete this folder in the next release.
-- Purpose: end the bet of a rollback that the wallet accepted.
-- A bet that is settled here contradicts the wallet, so the rollback gets a difference code. A refused or unknown bet
-- stays as it is.
-- Locks: none. The caller has locked the bet with provider.lock_around.
create or replace function provider.take_back_bet(p_original_transaction_id uuid, p_rollback_transaction_id uuid)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_bet_state text;
begin
    select t.state into v_bet_state
    from provider.wallet_transactions as t
    where t.transaction_id = p_original_transaction_id and t.kind = 'debit';
    if v_bet_state in ('pending', 'committed') then
        update provider.wallet_transactions
        set state = 'rolled_back', due_at = null, ended_at = provider.clock()
        where transaction_id = p_original_transaction_id;
    elsif v_bet_state = 'settled' then
        update provider.wallet_transactions
        set difference_code = 'settled_bet_rolled_back'
        where transaction_id = p_rollback_transaction_id;
    end if;
end;
$$;
