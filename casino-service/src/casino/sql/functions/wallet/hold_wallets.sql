-- Purpose: take wallets of one ledger for the rest of the database transaction, and wait for those that others hold (up to
--   lock_timeout). For entries outside the hot path; a batch of wallet commands never waits (casino.lock_wallets).
-- Lock order: as there, by wallet id, first the advisory lock, then the row: so two that hold wallets never wait for each other.
create or replace function casino.hold_wallets(p_ledger_id integer, p_wallet_ids bigint[])
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wallet_id bigint;
begin
    for v_wallet_id in select distinct wallet_id from unnest(p_wallet_ids) as wallet_id order by wallet_id loop
        perform pg_catalog.pg_advisory_xact_lock((p_ledger_id::bigint << 48) # v_wallet_id);
    end loop;
    perform from casino.wallets
    where ledger_id = p_ledger_id and wallet_id = any (p_wallet_ids)
    order by wallet_id
    for no key update;
end;
$$;
