-- Purpose: tell of a spin that was refused before its provider was asked, as of a bet that the wallet refused.
create or replace function casino.tell_refused_spin(
    p_ledger_id integer, p_wallet casino.wallets, p_game casino.games, p_spin casino.spins
)
returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    insert into casino.ledger_events (
        ledger_id, at, tenant_id, event_type, action_id, player_id, game_key, provider_id, region, agent_id, cashier_id,
        amount_minor, currency, code, route
    )
    select
        p_ledger_id, p_spin.ended_at, p_spin.tenant_id, 'ERROR', p_wallet.wallet_id || ':spin:' || p_spin.spin_id,
        p_spin.player_id, p_game.game_code, p_game.provider_id, tenant.region_in_force, p_wallet.agent_id, p_wallet.cashier_id,
        p_spin.stake_minor, p_wallet.currency, p_spin.code, '/api/v1/bet/spin'
    from casino.tenants as tenant
    where tenant.ledger_id = p_ledger_id and tenant.tenant_id = p_spin.tenant_id;
$$;
