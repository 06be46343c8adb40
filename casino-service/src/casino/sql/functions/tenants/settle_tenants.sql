-- Purpose: keep casino.tenants.is_open: a tenant is open while it and all above it are ACTIVE. A bet looks at this one column.
-- A tenant that cannot be reached from the top (a circle of parents) is closed.
-- Locks: one change of the tree at a time, so that each sees the one before.
create or replace function casino.settle_tenants()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('casino.settle_tenants', 0));
    with recursive tree as (
        select tenant_id, ledger_id, status = 'ACTIVE' as is_open from casino.tenants where parent_id is null
        union all
        select below.tenant_id, below.ledger_id, tree.is_open and below.status = 'ACTIVE'
        from tree
        join casino.tenants as below on below.ledger_id = tree.ledger_id and below.parent_id = tree.tenant_id
    ),
    due as (
        select tenant.tenant_id, coalesce(tree.is_open, false) as is_open
        from casino.tenants as tenant
        left join tree on tree.tenant_id = tenant.tenant_id
    )
    update casino.tenants as tenant
    set is_open = due.is_open
    from due
    where tenant.tenant_id = due.tenant_id and tenant.is_open <> due.is_open;
    return null;
end;
$$;
