-- Purpose: store what is done because of how a player plays, with its evidence and its event, and tell webhooks, in the transaction of what it follows from.
-- Outcome: its id.
-- Lock order: under the wallet's lock, which the caller holds.
create or replace function casino.note_safety_action(
    p_ledger_id integer, p_wallet_id bigint, p_play_session_id uuid, p_action_type text, p_score integer, p_reasons text[],
    p_evidence jsonb, p_is_shown boolean, p_now timestamptz
)
returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wallet casino.wallets;
    v_action_id bigint;
begin
    select * into v_wallet from casino.wallets where ledger_id = p_ledger_id and wallet_id = p_wallet_id;
    insert into casino.safety_actions (
        ledger_id, tenant_id, player_id, wallet_id, play_session_id, at, action_type, score, band, reasons, evidence, shown_at
    )
    values (
        p_ledger_id, v_wallet.tenant_id, v_wallet.player_id, p_wallet_id, p_play_session_id, p_now, p_action_type, p_score,
        casino.risk_band(p_score), p_reasons, p_evidence, case when p_is_shown then p_now end
    )
    returning action_id into v_action_id;
    insert into casino.ledger_events (
        ledger_id, at, tenant_id, event_type, action_id, player_id, session_id, region, agent_id, cashier_id, amount_minor,
        currency, code
    )
    select
        p_ledger_id, p_now, v_wallet.tenant_id, 'SAFETY_ACTION', 'safety:' || v_action_id, v_wallet.player_id,
        p_play_session_id::text, region_in_force, v_wallet.agent_id, v_wallet.cashier_id, 0, v_wallet.currency, p_action_type
    from casino.tenants
    where ledger_id = p_ledger_id and tenant_id = v_wallet.tenant_id;
    perform casino.tell(p_ledger_id, v_wallet.tenant_id, 'safety.action', v_wallet.player_id, null, jsonb_build_object(
        'actionId', v_action_id::text, 'sessionId', p_play_session_id, 'actionType', p_action_type, 'score', p_score,
        'reasons', p_reasons
    ));
    return v_action_id;
end;
$$;
