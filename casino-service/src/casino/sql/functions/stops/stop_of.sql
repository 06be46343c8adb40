-- Purpose: returns the reason of the oldest stop that holds for a game of a provider and a player of a tenant, or null.
-- A stop holds in its tenant and below, and an owner's, of no tenant, everywhere. Ask it only if casino.tenants.has_stops.
create or replace function casino.stop_of(
    p_ledger_id integer, p_tenant_id text, p_provider_id text, p_game_code text, p_player_id text
)
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
    )
    select reason
    from casino.stops
    where ledger_id = p_ledger_id and coalesce(target, '') = any (array['', p_provider_id, p_game_code, p_player_id])
        and (tenant_id is null or tenant_id in (select up.tenant_id from up))
        and case scope
            when 'all' then true
            when 'provider' then target = p_provider_id
            when 'game' then target = p_game_code
            else target = p_player_id
        end
    order by made_at, stop_id
    limit 1;
$$;
