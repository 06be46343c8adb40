-- Purpose: above which amount a payment of a player of this tenant waits for approval: the lowest threshold of the tenant and those
--   above it. Null: never.
create or replace function casino.approval_threshold(p_ledger_id integer, p_tenant_id text)
returns bigint
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select min(require_approval_above_minor)
    from casino.tenants
    where ledger_id = p_ledger_id and tenant_id = any (casino.tenants_above(p_ledger_id, p_tenant_id));
$$;
