-- Purpose: give a player a server seed for a game, unless one is in use.
-- Outcome: the seed in use afterwards. Of two calls at once both get the same one.
-- Locks: waits only for an uncommitted seed of the same player and game.
create or replace function provider.take_seed(
    p_seed_id uuid, p_player_id bigint, p_game_code text, p_seed_sealed bytea, p_seed_sha256 text
)
returns table (o_seed_id uuid, o_seed_sealed bytea, o_next_counter bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into provider.server_seeds (seed_id, player_id, game_code, seed_sealed, seed_sha256, created_at)
    values (p_seed_id, p_player_id, p_game_code, p_seed_sealed, p_seed_sha256, provider.clock())
    on conflict (player_id, game_code) where retired_at is null do nothing;
    -- A separate statement sees a seed that was committed while the insert waited.
    return query
    select seed.seed_id, seed.seed_sealed, seed.next_counter
    from provider.server_seeds as seed
    where seed.player_id = p_player_id and seed.game_code = p_game_code and seed.retired_at is null;
end;
$$;
