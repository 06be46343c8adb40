-- Purpose: the ids of a tenant and of all above it. Null: there is no such tenant.
create or replace function casino.tenants_above(p_ledger_id integer, p_tenant_id text)
returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with recursive up as (
        select tenant_id, parent_id from casino.tenants where ledger_id = p_ledger_id and tenant_id = p_tenant_id
        union
        select above.tenant_id, above.parent_id
        from up
        join casino.tenants as above on above.ledger_id = p_ledger_id and above.tenant_id = up.parent_id
    )
    select array_agg(tenant_id) from up;
$$;
