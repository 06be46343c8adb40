-- Purpose: which of the two settings of a process the database does not know: the tenant, or the ledger. For readiness.
create or replace function casino.is_known(p_tenant_id text, p_ledger_id integer)
returns table (o_tenant boolean, o_ledger boolean)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        exists (select from casino.tenants where tenant_id = p_tenant_id and ledger_id is not null),
        exists (select from casino.ledgers where ledger_id = p_ledger_id);
$$;
