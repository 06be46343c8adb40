-- Purpose: whether the transaction may act on a member of staff: casino.sees the tenant, or the login is an owner's.
create or replace function casino.sees_staff(p_ledger_id integer, p_tenant_id text)
returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select case when p_tenant_id is null then casino.has_oversight() else casino.sees(p_ledger_id, p_tenant_id) end;
$$;
