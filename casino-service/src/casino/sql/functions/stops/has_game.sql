-- Purpose: whether a tenant, one above it or one below it has a game of this provider (p_scope provider) or code (p_scope game).
--   Null for the tenant: whether any tenant of the ledger has it.
create or replace function casino.has_game(p_ledger_id integer, p_tenant_id text, p_scope text, p_target text)
returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select exists (
        select
        from casino.games
        join casino.tenants using (tenant_id)
        where ledger_id = p_ledger_id and p_target = case p_scope when 'provider' then games.provider_id else game_code end
            and (tenant_id = any ((select casino.tenants_above(p_ledger_id, p_tenant_id))::text[]) or casino.sees(p_ledger_id, tenant_id))
    );
$$;
