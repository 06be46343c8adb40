-- Purpose: keep what a tenant has from those above it, in columns that a bet reads: region_in_force, its own region or the nearest
--   ancestor's; has_stops, whether a stop of its own, of one above it or of an owner may hold.
-- Locks: casino.hold_tenants, which the trigger before the change took.
create or replace function casino.settle_inherited()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    with recursive stopped as (
        select ledger_id, tenant_id from casino.stops group by ledger_id, tenant_id
    ),
    tree as (
        select
            tenant_id, ledger_id, region, exists (
                select from stopped where ledger_id = top.ledger_id and coalesce(stopped.tenant_id, top.tenant_id) = top.tenant_id
            ) as has_stops
        from casino.tenants as top
        where parent_id is null
        union all
        select
            below.tenant_id, below.ledger_id, coalesce(below.region, tree.region), tree.has_stops or exists (
                select from stopped where ledger_id = below.ledger_id and stopped.tenant_id = below.tenant_id
            )
        from tree
        join casino.tenants as below on below.ledger_id = tree.ledger_id and below.parent_id = tree.tenant_id
    )
    update casino.tenants as tenant
    set region_in_force = tree.region, has_stops = tree.has_stops
    from tree
    where tenant.tenant_id = tree.tenant_id
        and (tenant.region_in_force, tenant.has_stops) is distinct from (tree.region, tree.has_stops);
    return null;
end;
$$;
