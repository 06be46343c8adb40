-- Purpose: take the action that a risk leads to now, if any: stored, and in force from this commit.
-- Outcome: NUDGE, COOLDOWN (no bet for 90 seconds), STOP (no bet until the play session is over; its game sessions end), or null.
-- Lock order: under the wallet's lock, which the caller holds; then the game sessions.
create or replace function casino.take_action(
    p_ledger_id integer, p_wallet_id bigint, p_play_session_id uuid, p_score integer, p_reasons text[], p_evidence jsonb,
    p_now timestamptz
)
returns text
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_cooldown constant interval := interval '90 seconds';
    v_action_type constant text := casino.due_action(p_ledger_id, p_wallet_id, p_play_session_id, p_score, p_now);
begin
    if v_action_type is null then
        return null;
    end if;
    perform casino.note_safety_action(
        p_ledger_id, p_wallet_id, p_play_session_id, v_action_type, p_score, p_reasons, p_evidence, false, p_now
    );
    if v_action_type = 'COOLDOWN' then
        update casino.wallets set cooldown_until = greatest(cooldown_until, p_now + c_cooldown)
        where ledger_id = p_ledger_id and wallet_id = p_wallet_id;
    elsif v_action_type = 'STOP' then
        update casino.wallets set stopped_play_session_id = p_play_session_id
        where ledger_id = p_ledger_id and wallet_id = p_wallet_id;
        update casino.game_sessions set closed_at = p_now
        where ledger_id = p_ledger_id and play_session_id = p_play_session_id and closed_at is null;
    end if;
    return v_action_type;
end;
$$;
