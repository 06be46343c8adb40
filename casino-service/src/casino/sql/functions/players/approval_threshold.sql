-- Purpose: above which amount a payment of a player of this tenant waits for approval: the lowest threshold of the tenant and those
--   above it. Null: never.
create or replace function casino.approval_threshold(p_ledger_id integer, p_tenant_id text)
returns bigint
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with recursive up as (
        select tenant_id, parent_id, require_approval_above_minor as threshold
        from casino.tenants
        where ledger_id = p_ledger_id and tenant_id = p_tenant_id
        union
        select above.tenant_id, above.parent_id, above.require_approval_above_minor
        from up
        join casino.tenants as above on above.ledger_id = p_ledger_id and above.tenant_id = up.parent_id
    )
    select min(threshold) from up;
$$;
