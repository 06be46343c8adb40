-- Purpose: returns the reason of the oldest stop that holds for a game of a provider and a player of a tenant, or null.
-- A stop holds in its tenant and below, and an owner's, of no tenant, everywhere. Ask it only if casino.tenants.has_stops.
create or replace function casino.stop_of(
    p_ledger_id integer, p_tenant_id text, p_provider_id text, p_game_code text, p_player_id text
)
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select reason
    from casino.stops
    where ledger_id = p_ledger_id and coalesce(target, '') = any (array['', p_provider_id, p_game_code, p_player_id])
        and (tenant_id is null or tenant_id = any ((select casino.tenants_above(p_ledger_id, p_tenant_id))::text[]))
        and case scope
            when 'all' then true
            when 'provider' then target = p_provider_id
            when 'game' then target = p_game_code
            else target = p_player_id
        end
    order by made_at, stop_id
    limit 1;
$$;
