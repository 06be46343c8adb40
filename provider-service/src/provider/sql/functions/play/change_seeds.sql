-- Purpose: set the player's client seed in a game, and with a new server seed retire the one in use.
-- Outcomes: null with the seed in use afterwards and, after a rotation, the one before; 'session_busy' while a round of
--   that player and game is open: a seed that serves a round is not revealed.
-- Locks: the player, as the steps of spins do.
create or replace function provider.change_seeds(
    p_player_id bigint, p_game_code text, p_client_seed text, p_new_seed_id uuid, p_new_sealed bytea, p_new_sha256 text
)
returns table (
    o_code text, o_seed_sha256 text, o_client_seed text, o_next_counter bigint, o_old_sealed bytea, o_old_sha256 text
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_seed record;
begin
    perform from provider.players as p where p.player_id = p_player_id for no key update;
    select seed.seed_id, seed.seed_sealed, seed.seed_sha256, r.state as round_state,
        coalesce(seed.round_id, seed.earlier_round_id) as last_round_id into v_seed
    from provider.server_seeds as seed
    left join provider.rounds as r on r.round_id = seed.round_id
    where seed.player_id = p_player_id and seed.game_code = p_game_code and seed.retired_at is null;
    if v_seed.round_state = 'open' then
        return query select 'session_busy', null::text, null::text, null::bigint, null::bytea, null::text;
        return;
    end if;
    if p_new_seed_id is not null then
        update provider.server_seeds as seed set retired_at = provider.clock() where seed.seed_id = v_seed.seed_id;
        insert into provider.server_seeds (
            seed_id, player_id, game_code, seed_sealed, seed_sha256, client_seed, earlier_round_id
        )
        values (
            p_new_seed_id, p_player_id, p_game_code, p_new_sealed, p_new_sha256, p_client_seed, v_seed.last_round_id
        );
    elsif p_client_seed is not null then
        update provider.server_seeds as seed set client_seed = p_client_seed where seed.seed_id = v_seed.seed_id;
    end if;
    return query
    select null::text, seed.seed_sha256, seed.client_seed, seed.next_counter,
        case when p_new_seed_id is not null then v_seed.seed_sealed end,
        case when p_new_seed_id is not null then v_seed.seed_sha256 end
    from provider.server_seeds as seed
    where seed.player_id = p_player_id and seed.game_code = p_game_code and seed.retired_at is null;
end;
$$;
