-- Purpose: tell that a player logged in to a play session, in the transaction of the login. The caller saw the player.
create or replace function casino.tell_login(p_ledger_id integer, p_player_id text, p_play_session_id uuid)
returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    insert into casino.ledger_events (
        ledger_id, at, tenant_id, event_type, action_id, player_id, session_id, region, agent_id, cashier_id, currency
    )
    select
        p_ledger_id, casino.clock(), tenant_id, 'LOGIN', gen_random_uuid()::text, player_id, p_play_session_id::text,
        tenant.region_in_force, wallet.agent_id, wallet.cashier_id, wallet.currency
    from casino.wallets as wallet
    join casino.tenants as tenant using (ledger_id, tenant_id)
    where ledger_id = p_ledger_id and player_id = p_player_id;
$$;
