-- Purpose: tell that a limit of a player holds from now on, in the transaction of that change. The event's amount is its value: minor
--   units, or minutes of a time limit; 0 for one that was removed. Webhooks are told null then.
-- The caller holds the player.
create or replace function casino.tell_limit(p_ledger_id integer, p_limit_id uuid)
returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    insert into casino.ledger_events (
        ledger_id, at, tenant_id, event_type, action_id, player_id, region, agent_id, cashier_id, amount_minor, currency, code
    )
    select
        p_ledger_id, casino.clock(), wallet.tenant_id, 'LIMIT_CHANGED', p_limit_id::text, wallet.player_id,
        tenant.region_in_force, wallet.agent_id, wallet.cashier_id, coalesce(made.value, 0), wallet.currency,
        made.kind || ' ' || made.period
    from casino.player_limits as made
    join casino.wallets as wallet on wallet.ledger_id = made.ledger_id and wallet.player_id = made.player_id
    join casino.tenants as tenant on tenant.ledger_id = wallet.ledger_id and tenant.tenant_id = wallet.tenant_id
    where made.ledger_id = p_ledger_id and made.limit_id = p_limit_id;

    select casino.tell(p_ledger_id, player.tenant_id, 'limit.changed', made.player_id, null, jsonb_build_object(
        'limitId', made.limit_id, 'kind', made.kind, 'period', made.period, 'value', made.value, 'madeBy', made.made_by_kind
    ))
    from casino.player_limits as made
    join casino.players as player on player.ledger_id = made.ledger_id and player.player_id = made.player_id
    where made.ledger_id = p_ledger_id and made.limit_id = p_limit_id;
$$;
