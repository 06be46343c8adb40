-- Purpose: whose games a tenant has: those of its nearest ancestor that has any, itself first.
-- Outcome: the id of that tenant, or null where none has any.
create or replace function casino.games_tenant(p_ledger_id integer, p_tenant_id text)
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with recursive up as (
        select tenant_id, parent_id from casino.tenants where ledger_id = p_ledger_id and tenant_id = p_tenant_id
        union
        select above.tenant_id, above.parent_id
        from up
        join casino.tenants as above on above.ledger_id = p_ledger_id and above.tenant_id = up.parent_id
        where not exists (select from casino.games as own where own.tenant_id = up.tenant_id)
    )
    select up.tenant_id
    from up
    where exists (select from casino.games as own where own.tenant_id = up.tenant_id);
$$;
