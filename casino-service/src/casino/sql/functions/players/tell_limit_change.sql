-- Purpose: tell that a limit of a player holds from now on, in the transaction of that change. The event's amount is its value: minor
--   units, or minutes of a time limit; 0 for one that was removed. Webhooks are told null then.
-- Input: p_limit_id, of this change alone; p_period session, day, week or month.
-- The caller holds the player.
create or replace function casino.tell_limit_change(
    p_ledger_id integer, p_player_id text, p_limit_id uuid, p_kind text, p_period text, p_value bigint, p_made_by_kind text
)
returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    insert into casino.ledger_events (
        ledger_id, at, tenant_id, event_type, action_id, player_id, region, agent_id, cashier_id, amount_minor, currency, code
    )
    select
        p_ledger_id, casino.clock(), wallet.tenant_id, 'LIMIT_CHANGED', p_limit_id::text, wallet.player_id,
        tenant.region_in_force, wallet.agent_id, wallet.cashier_id, coalesce(p_value, 0), wallet.currency,
        p_kind || ' ' || p_period
    from casino.wallets as wallet
    join casino.tenants as tenant on tenant.ledger_id = wallet.ledger_id and tenant.tenant_id = wallet.tenant_id
    where wallet.ledger_id = p_ledger_id and wallet.player_id = p_player_id;

    select casino.tell(p_ledger_id, tenant_id, 'limit.changed', player_id, null, jsonb_build_object(
        'limitId', p_limit_id, 'kind', p_kind, 'period', p_period, 'value', p_value, 'madeBy', p_made_by_kind
    ))
    from casino.players
    where ledger_id = p_ledger_id and player_id = p_player_id;
$$;
