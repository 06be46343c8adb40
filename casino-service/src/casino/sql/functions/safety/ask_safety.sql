-- Purpose: what a game's page is told of the player's safety: the risk now, and the newest action that no answer has shown yet.
-- Outcome: o_code NOT_FOUND for a play session that is not the player's running one; else the risk, and the action or null. An action
--   that is due is taken first. The action that is answered counts as shown.
-- Lock order: casino.hold_player, where an action is due; the action.
create or replace function casino.ask_safety(p_ledger_id integer, p_player_id text, p_play_session_id uuid)
returns table (o_code text, o_score integer, o_band text, o_reasons text[], o_action_type text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_session casino.play_sessions;
    v_risk record;
begin
    select * into v_session
    from casino.play_sessions
    where ledger_id = p_ledger_id and play_session_id = casino.running_play_session(p_ledger_id, p_player_id)
        and play_session_id = p_play_session_id and casino.sees(p_ledger_id, tenant_id);
    if not found then
        o_code := 'NOT_FOUND';
        return next;
        return;
    end if;
    select * into v_risk from casino.risk_of(p_ledger_id, p_play_session_id, casino.clock(), true);
    -- The wallet is held only where there is something to write: a bet that finds it held is refused.
    if casino.due_action(p_ledger_id, v_session.wallet_id, p_play_session_id, v_risk.o_score, casino.clock()) is not null then
        perform casino.hold_player(p_ledger_id, p_player_id, false);
        select * into v_risk from casino.risk_of(p_ledger_id, p_play_session_id, casino.clock(), true);
        perform casino.take_action(
            p_ledger_id, v_session.wallet_id, p_play_session_id, v_risk.o_score, v_risk.o_reasons, v_risk.o_evidence,
            casino.clock()
        );
    end if;
    update casino.safety_actions
    set shown_at = casino.clock()
    where ledger_id = p_ledger_id and shown_at is null and action_id = (
        select action_id from casino.safety_actions
        where ledger_id = p_ledger_id and play_session_id = p_play_session_id and shown_at is null
        order by at desc, action_id desc limit 1
        for no key update
    )
    returning action_type into o_action_type;
    o_score := v_risk.o_score;
    o_band := casino.risk_band(o_score);
    o_reasons := v_risk.o_reasons;
    return next;
end;
$$;
