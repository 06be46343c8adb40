-- Purpose: a game of a tenant, by its id or its code. A tenant has the games of its nearest ancestor that has any, itself first.
-- Outcome: the game's row, or null. An id goes before a code, and a code of main before the same code of another provider.
create or replace function casino.find_game(p_ledger_id integer, p_tenant_id text, p_game_id text)
returns casino.games
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
    select game.*
    from up
    join casino.games as game on game.tenant_id = up.tenant_id and p_game_id in (game.game_id, game.game_code)
    order by game.game_id = p_game_id desc, game.provider_id = 'main' desc, game.provider_id
    limit 1;
$$;
