-- Purpose: why the transaction's caller may not manage a tenant: NOT_FOUND for one that it does not see, FORBIDDEN for its own.
-- Outcome: null if it may: the tenant is below the caller's, or the caller is an owner.
create or replace function casino.refusal_to_manage(p_ledger_id integer, p_tenant_id text)
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select case
        when not casino.sees(p_ledger_id, p_tenant_id) then 'NOT_FOUND'
        when not casino.has_oversight() and p_tenant_id = current_setting('casino.tenant', true) then 'FORBIDDEN'
    end;
$$;
