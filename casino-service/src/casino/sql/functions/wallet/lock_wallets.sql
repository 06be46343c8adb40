-- Purpose: take wallets of one ledger for the rest of the database transaction. Whoever changes a wallet calls this first.
-- Outcome: the ids that were free. One that another transaction holds is left out, never waited for: a stuck wallet
-- must not hold up its neighbours in the batch; the caller tries that one again later.
-- Lock order: by wallet id, first the advisory lock, then the row. The advisory lock is there because a row lock gives the
-- transaction its number, and the feed orders by that number: it must be drawn after the wallet is ours, not before.
create or replace function casino.lock_wallets(p_ledger_id integer, p_wallet_ids bigint[])
returns bigint[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    v_free bigint[];
    v_locked bigint[];
begin
    select array_agg(wanted.wallet_id) into v_free
    from (
        select distinct wallet_id from unnest(p_wallet_ids) as wallet_id order by wallet_id
    ) as wanted
    where pg_catalog.pg_try_advisory_xact_lock((p_ledger_id::bigint << 48) # wanted.wallet_id);

    select array_agg(held.wallet_id) into v_locked
    from (
        select wallets.wallet_id
        from casino.wallets as wallets
        where wallets.ledger_id = p_ledger_id and wallets.wallet_id = any (v_free)
        order by wallets.wallet_id
        for no key update skip locked
    ) as held;

    return coalesce(v_locked, '{}');
end;
$$;
