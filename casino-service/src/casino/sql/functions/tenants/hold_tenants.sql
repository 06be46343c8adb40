-- Purpose: one change of the tree of tenants or of its stops at a time, so that each sees the one before.
-- Lock order: the first lock of such a change, before any row.
create or replace function casino.hold_tenants()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('casino.settle_tenants', 0));
    return null;
end;
$$;
