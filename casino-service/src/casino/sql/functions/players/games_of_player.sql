-- Purpose: the games that a player's lobby shows, by name, at most 1,000.
-- Outcome: a row for each game of the player's tenant. o_is_open: whether it can be launched now, as far as the tenant, stops and
--   the game itself decide. o_reason: a stop's. o_expected_rtp: null where its provider states none. No row for a player who is
--   not in the caller's view.
create or replace function casino.games_of_player(p_ledger_id integer, p_player_id text)
returns table (
    o_game_id text, o_game_code text, o_name text, o_stake_min_minor bigint, o_stake_max_minor bigint, o_expected_rtp numeric,
    o_is_open boolean, o_reason text
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        game.game_id, game.game_code, game.display_name, game.stake_min_minor, game.stake_max_minor, offered.expected_rtp,
        tenant.is_open and game.disabled_at is null and stopped.reason is null, stopped.reason
    from casino.players as player
    join casino.tenants as tenant on tenant.ledger_id = p_ledger_id and tenant.tenant_id = player.tenant_id
    join casino.games as game on game.tenant_id = casino.games_tenant(p_ledger_id, player.tenant_id)
    left join casino.provider_games as offered
        on offered.provider_id = game.provider_id and offered.game_code = game.game_code
    cross join lateral (
        select case when tenant.has_stops then casino.stop_of(
            p_ledger_id, tenant.tenant_id, game.provider_id, game.game_code, p_player_id
        ) end as reason
    ) as stopped
    where player.ledger_id = p_ledger_id and player.player_id = p_player_id and casino.sees(p_ledger_id, player.tenant_id)
    order by game.display_name, game.game_id
    limit 1000;
$$;
