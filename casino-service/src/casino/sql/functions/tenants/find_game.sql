-- Purpose: a game of a tenant, by its id or its code. Whose games a tenant has, casino.games_tenant knows.
-- Outcome: the game's row, or null. An id goes before a code, and a code of main before the same code of another provider.
create or replace function casino.find_game(p_ledger_id integer, p_tenant_id text, p_game_id text)
returns casino.games
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select game.*
    from casino.games as game
    where game.tenant_id = casino.games_tenant(p_ledger_id, p_tenant_id) and p_game_id in (game.game_id, game.game_code)
    order by game.game_id = p_game_id desc, game.provider_id = 'main' desc, game.provider_id
    limit 1;
$$;
