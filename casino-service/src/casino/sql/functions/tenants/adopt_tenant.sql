-- Purpose: a tenant that has no ledger yet belongs to the first one that is made for it.
create or replace function casino.adopt_tenant()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    update casino.tenants set ledger_id = new.ledger_id where tenant_id = new.tenant_id and ledger_id is null;
    return null;
end;
$$;
