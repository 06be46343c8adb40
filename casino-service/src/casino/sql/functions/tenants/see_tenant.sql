-- Purpose: open the view of one tenant for the rest of the database transaction: the policies of casino_app show the rows of
--   this tenant and of those below it, in this ledger. The settings casino.tenant and casino.tenants hold both.
-- Outcome: whether the ledger has this tenant. If not, no row is seen.
create or replace function casino.see_tenant(p_ledger_id integer, p_tenant_id text)
returns boolean
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    with recursive tree as (
        select tenant_id from casino.tenants where ledger_id = p_ledger_id and tenant_id = p_tenant_id
        union
        select below.tenant_id
        from tree
        join casino.tenants as below on below.ledger_id = p_ledger_id and below.parent_id = tree.tenant_id
    ),
    visible as materialized (
        select
            pg_catalog.set_config('casino.tenant', p_tenant_id, true),
            pg_catalog.set_config('casino.tenants', coalesce(array_agg(tenant_id), '{}')::text, true) as tenants
        from tree
    )
    select tenants <> '{}' from visible;
$$;
