-- Purpose: whether a deposit would lift a player above a deposit limit. Periods are days, ISO weeks and months of the tenant's
--   time zone.
create or replace function casino.over_deposit_limit(p_ledger_id integer, p_player casino.players, p_amount_minor bigint)
returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select exists (
        select
        from casino.player_limits as own
        join casino.tenants as tenant
            on tenant.ledger_id = own.ledger_id and tenant.tenant_id = (p_player).tenant_id
        where own.ledger_id = p_ledger_id and own.player_id = (p_player).player_id and own.status = 'ACTIVE'
            and own.kind = 'deposit' and p_amount_minor + casino.paid_since(
                p_ledger_id, (p_player).wallet_id, 'DEPOSIT',
                date_trunc(own.period, casino.clock() at time zone tenant.timezone) at time zone tenant.timezone
            ) > own.value
    );
$$;
