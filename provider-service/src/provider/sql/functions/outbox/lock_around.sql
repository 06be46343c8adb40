-- Purpose: lock the row that an answer can change besides its own transaction.
-- Outcome: a payout's round or a rollback's bet is locked. The caller then locks the transaction and reads it.
-- Lock order: the round or the bet before the transaction, as give_up_bet does: it locks the bet, and its insert waits
--   for a transaction that changes the rollback's row.
create or replace function provider.lock_around(p_transaction_id uuid) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_kind text;
    v_round_id uuid;
    v_bet_id uuid;
begin
    -- These columns never change, so they are read without a lock.
    select t.kind, t.round_id, t.original_transaction_id into v_kind, v_round_id, v_bet_id
    from provider.wallet_transactions as t where t.transaction_id = p_transaction_id;
    if v_kind = 'credit' then
        perform from provider.rounds as r where r.round_id = v_round_id for no key update;
    elsif v_kind = 'rollback' then
        perform from provider.wallet_transactions as b where b.transaction_id = v_bet_id for no key update;
    end if;
end;
$$;
