-- Purpose: what a score in a play session leads to now.
-- Outcome: STOP, COOLDOWN (at most one in 10 minutes) or NUDGE (at most one in 5 minutes); null for nothing, as after a STOP.
create or replace function casino.due_action(
    p_ledger_id integer, p_wallet_id bigint, p_play_session_id uuid, p_score integer, p_now timestamptz
)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_action_type constant text := case casino.risk_band(p_score)
        when 'STOP' then 'STOP' when 'TILT_RISK' then 'COOLDOWN' when 'ELEVATED' then 'NUDGE'
    end;
    v_since constant timestamptz := case v_action_type
        when 'STOP' then '-infinity' when 'COOLDOWN' then p_now - interval '10 minutes' when 'NUDGE' then p_now - interval '5 minutes'
    end;
begin
    if v_action_type is null then
        return null;
    end if;
    if exists (
        select from casino.safety_actions
        where ledger_id = p_ledger_id and play_session_id = p_play_session_id and action_type = v_action_type and at > v_since
            and reasons <> '{LOSS_LIMIT}'
    ) or exists (
        select from casino.wallets
        where ledger_id = p_ledger_id and wallet_id = p_wallet_id and stopped_play_session_id = p_play_session_id
    ) then
        return null;
    end if;
    return v_action_type;
end;
$$;
