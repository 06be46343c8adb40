-- Purpose: tell webhooks of the rounds that ended with these commands, in the transaction that booked them (casino.update_play was
--   called). Costs one look at the tenants where nobody asks for it.
-- The caller holds the wallets.
create or replace function casino.tell_rounds(p_ledger_id integer, p_judged casino.judgement [])
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
as $$
begin
    if not exists (
        select from casino.tenants
        where ledger_id = p_ledger_id and 'round.settled' = any (told_events) and tenant_id = any (array(
            select tenant_id from unnest(p_judged) where ends_round
        ))
    ) then
        return;
    end if;
    perform casino.tell(p_ledger_id, wallet.tenant_id, 'round.settled', wallet.player_id, null, jsonb_build_object(
        'roundId', round.round_id, 'providerId', round.provider_id, 'stakeMinor', round.staked_minor,
        'winMinor', round.paid_minor, 'currency', wallet.currency
    ))
    from unnest(p_judged) as ended
    cross join lateral (
        select * from casino.wallets
        where ledger_id = p_ledger_id and wallet_id = ended.wallet_id limit 1
    ) as wallet
    cross join lateral (
        select * from casino.rounds
        where ledger_id = p_ledger_id and wallet_id = ended.wallet_id and round_id = ended.round_id
            and provider_id = ended.provider_id limit 1
    ) as round
    where ended.ends_round;
end;
$$;
