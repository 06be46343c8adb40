-- Purpose: whether the transaction may act on a tenant of this ledger: it is in the view that casino.see_tenant opened, or the login
--   is an owner's. Every platform function that changes something asks this first.
create or replace function casino.sees(p_ledger_id integer, p_tenant_id text)
returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select exists (
        select from casino.tenants
        where ledger_id = p_ledger_id and tenant_id = p_tenant_id and (
            tenant_id = any (nullif(current_setting('casino.tenants', true), '')::text[]) or casino.has_oversight()
        )
    );
$$;
