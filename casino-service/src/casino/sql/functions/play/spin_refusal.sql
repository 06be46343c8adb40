-- Purpose: why a new spin is refused before a provider is asked for it. The one place that knows this order of refusals
--   (docs/platform.md); what follows in it (limits, balance) the debit decides.
-- Outcome: a code of the platform and perhaps a sentence of its own, or nulls.
create or replace function casino.spin_refusal(
    p_ledger_id integer, p_wallet casino.wallets, p_game casino.games, p_stake_minor bigint, p_live_providers text[],
    out o_code text, out o_sentence text
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now constant timestamptz := casino.clock();
    v_is_open boolean;
    v_stop_reason text;
    v_status text;
begin
    select
        is_open, case when has_stops then casino.stop_of(
            p_ledger_id, tenant_id, p_game.provider_id, p_game.game_code, p_wallet.player_id
        ) end
    into v_is_open, v_stop_reason
    from casino.tenants
    where ledger_id = p_ledger_id and tenant_id = p_wallet.tenant_id;
    select casino.player_status(status, p_wallet.excluded_until, v_now) into v_status
    from casino.players
    where ledger_id = p_ledger_id and player_id = p_wallet.player_id;

    o_code := case
        when p_game.game_id is null then 'GAME_NOT_FOUND'
        when p_stake_minor not between p_game.stake_min_minor and p_game.stake_max_minor then 'INVALID_STAKE'
        when not v_is_open then 'TENANT_NOT_ACTIVE'
        when v_stop_reason is not null then 'PLAY_STOPPED'
        when p_game.disabled_at is not null or p_game.provider_id <> all (p_live_providers) then 'GAME_DISABLED'
        when v_status <> 'ACTIVE' or p_wallet.blocked_at is not null then 'PLAYER_NOT_ACTIVE'
        when p_wallet.cooldown_until > v_now
            or p_wallet.stopped_play_session_id = casino.running_play_session(p_ledger_id, p_wallet.player_id)
            then 'COOLDOWN_ACTIVE'
        when p_wallet.bonus_ack_required then 'BONUS_ACK_REQUIRED'
    end;
    o_sentence := case o_code
        when 'INVALID_STAKE'
            then 'The stake must be an integer from ' || p_game.stake_min_minor || ' to ' || p_game.stake_max_minor
        when 'PLAY_STOPPED' then v_stop_reason
        when 'PLAYER_NOT_ACTIVE' then case when v_status = 'EXCLUDED' then 'You are excluded from play.' end
    end;
end;
$$;
