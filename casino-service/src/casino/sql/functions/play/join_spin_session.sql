-- Purpose: the game session in which a player's next spin of a game is played: the one that was used last, while it is as a new one
--   would be; else a new one, with the id and the token's hash that the caller gives.
-- Outcome: o_code, why casino.open_session opens none, else null and the session.
-- Locks: the caller lets one spin of a player begin at a time.
create or replace function casino.join_spin_session(
    p_ledger_id integer, p_wallet casino.wallets, p_game casino.games, p_session_id uuid, p_token_hash bytea,
    p_client_address inet, p_live_providers text[],
    out o_code text, out o_session_id uuid
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_margin constant interval := interval '1 minute'; -- longer than a spin takes
    v_play_session_id constant uuid := casino.enter_play_session(p_ledger_id, p_wallet.player_id);
begin
    select session.session_id into o_session_id
    from casino.spin_sessions as own
    join casino.game_sessions as session
        on session.ledger_id = p_ledger_id and session.session_id = own.session_id
    where own.ledger_id = p_ledger_id and own.player_id = p_wallet.player_id and own.game_id = p_game.game_id
        and session.closed_at is null and session.expires_at > casino.clock() + c_margin
        and session.play_session_id is not distinct from v_play_session_id
        and (session.game_code, session.provider_id, session.stake_min_minor, session.stake_max_minor)
            = (p_game.game_code, p_game.provider_id, p_game.stake_min_minor, p_game.stake_max_minor);
    if o_session_id is not null then
        return;
    end if;
    select opened.o_code into o_code
    from casino.open_session(
        p_ledger_id, p_wallet.tenant_id, p_wallet.player_id, p_game.game_id, p_session_id, p_token_hash, null,
        p_client_address, p_live_providers
    ) as opened;
    if o_code is null then
        o_session_id := p_session_id;
        insert into casino.spin_sessions (ledger_id, tenant_id, player_id, game_id, session_id)
        values (p_ledger_id, p_wallet.tenant_id, p_wallet.player_id, p_game.game_id, p_session_id)
        on conflict (ledger_id, player_id, game_id) do update set session_id = excluded.session_id;
    end if;
end;
$$;
