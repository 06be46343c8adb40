-- Purpose: the ids of a tenant and of all below it.
create or replace function casino.tenants_below(p_ledger_id integer, p_tenant_id text)
returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with recursive tree as (
        select tenant_id from casino.tenants where ledger_id = p_ledger_id and tenant_id = p_tenant_id
        union
        select below.tenant_id
        from tree
        join casino.tenants as below on below.ledger_id = p_ledger_id and below.parent_id = tree.tenant_id
    )
    select array_agg(tenant_id) from tree;
$$;
