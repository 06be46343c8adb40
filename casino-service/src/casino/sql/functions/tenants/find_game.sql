-- Purpose: a game of a tenant. A tenant has the games of its nearest ancestor that has any, itself first.
-- Outcome: the game's row, or null.
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
    join casino.games as game on game.tenant_id = up.tenant_id and game.game_id = p_game_id;
$$;
