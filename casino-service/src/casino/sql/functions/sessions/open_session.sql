-- Purpose: open a game session for a player, inside the player's play session; the provider, the stake range and the win cap are the
--   game's of this moment.
-- Input: p_live_providers, the providers that take launches now.
-- Outcome: o_code says why not (player_not_found, game_not_found, game_disabled, play_stopped for a tenant that is not open
--   or a stop, whose reason is o_reason, provider_draining, player_excluded, wallet_blocked), else null.
-- Locks: nothing but the wallet and the player where a play session begins, see casino.enter_play_session.
-- Before 0.3 it answered without o_reason.
drop function if exists casino.open_session(integer, text, text, text, uuid, bytea, text, inet, text []);
create or replace function casino.open_session(
    p_ledger_id integer, p_tenant_id text, p_player_id text, p_game_id text, p_session_id uuid, p_token_hash bytea,
    p_country text, p_client_address inet, p_live_providers text[]
)
returns table (
    o_code text, o_provider_id text, o_game_code text, o_currency text, o_balance_minor bigint,
    o_stake_min_minor bigint, o_stake_max_minor bigint, o_expires_at timestamptz, o_reason text
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c_session_life constant interval := casino.session_life();
    v_now constant timestamptz := casino.clock();
    v_wallet casino.wallets;
    v_game casino.games;
    v_tenant casino.tenants;
begin
    select * into v_wallet
    from casino.wallets
    where ledger_id = p_ledger_id and tenant_id = p_tenant_id and player_id = p_player_id;
    select * into v_tenant from casino.tenants where ledger_id = p_ledger_id and tenant_id = p_tenant_id;
    v_game := casino.find_game(p_ledger_id, p_tenant_id, p_game_id);
    if v_tenant.has_stops then
        o_reason := casino.stop_of(p_ledger_id, p_tenant_id, v_game.provider_id, v_game.game_code, p_player_id);
    end if;

    o_code := case
        when v_wallet.wallet_id is null then 'player_not_found'
        when v_game.game_id is null then 'game_not_found'
        when v_game.disabled_at is not null then 'game_disabled'
        when not v_tenant.is_open or o_reason is not null then 'play_stopped'
        when v_game.provider_id <> all (p_live_providers) then 'provider_draining'
        when v_wallet.excluded_until > v_now then 'player_excluded'
        when v_wallet.blocked_at is not null then 'wallet_blocked'
    end;
    if o_code is null then
        insert into casino.game_sessions (
            ledger_id, session_id, tenant_id, wallet_id, player_id, game_id, game_code, currency, token_hash, country,
            client_address, provider_id, stake_min_minor, stake_max_minor, win_cap_minor, opened_at, expires_at, play_session_id
        )
        values (
            p_ledger_id, p_session_id, p_tenant_id, v_wallet.wallet_id, p_player_id, v_game.game_id, v_game.game_code,
            v_wallet.currency, p_token_hash, p_country, p_client_address, v_game.provider_id,
            v_game.stake_min_minor, v_game.stake_max_minor,
            casino.win_cap(v_game.win_cap_minor, v_game.stake_max_minor), v_now, v_now + c_session_life,
            casino.enter_play_session(p_ledger_id, p_player_id)
        );
    end if;
    return query
    select
        o_code, v_game.provider_id, v_game.game_code, v_wallet.currency, v_wallet.balance_minor,
        v_game.stake_min_minor, v_game.stake_max_minor, v_now + c_session_life, o_reason;
end;
$$;
