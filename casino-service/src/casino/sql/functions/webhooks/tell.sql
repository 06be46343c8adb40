-- Purpose: tell webhooks that something happened, in the transaction of what happened: one event, and a delivery of it for each
--   webhook of the tenant, of those above it and of owners that asks for the type. Costs one look at the tenant where none asks.
-- Input: p_data without the ids, which are added; amounts, never a code, PIN or token.
-- Order: deliveries of a player are sent in the order in which they were told, so the caller holds the player's wallet.
create or replace function casino.tell(
    p_ledger_id integer, p_tenant_id text, p_type text, p_player_id text, p_voucher_id text, p_data jsonb
)
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz;
begin
    if not exists (
        select from casino.tenants
        where tenant_id = p_tenant_id and ledger_id = p_ledger_id and p_type = any (told_events)
    ) then
        return;
    end if;
    v_now := casino.clock();
    with asking as (
        select webhook_id, tenant_id
        from casino.webhooks
        where ledger_id = p_ledger_id and ended_at is null and p_type = any (events)
            and (tenant_id is null or tenant_id = any (casino.tenants_above(p_ledger_id, p_tenant_id)))
    ),
    event as (
        insert into casino.webhook_events (ledger_id, tenant_id, event_type, data, told_at)
        select
            p_ledger_id, p_tenant_id, p_type, jsonb_strip_nulls(
                jsonb_build_object('tenantId', p_tenant_id, 'playerId', p_player_id, 'voucherId', p_voucher_id)
            ) || p_data, v_now
        where exists (select from asking)
        returning event_id
    )
    insert into casino.webhook_deliveries (ledger_id, event_id, webhook_id, tenant_id, player_id, told_at, next_at)
    select p_ledger_id, event.event_id, asking.webhook_id, asking.tenant_id, p_player_id, v_now, v_now
    from asking
    cross join event;
end;
$$;
