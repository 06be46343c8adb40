-- Purpose: set what a player may lose in the play session that runs. It can be lowered, and is never raised.
-- Outcome: o_code NOT_FOUND for a play session that is not the player's or is over, LOSS_LIMIT_LOCKED for a higher one, or null;
--   o_before: the limit that held until now. The same value again is no change.
-- Locks: casino.hold_player, so a debit is judged before or after it; the play session.
create or replace function casino.set_session_limit(
    p_ledger_id integer, p_player_id text, p_play_session_id uuid, p_value_minor bigint
)
returns table (o_code text, o_before bigint)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_player constant casino.players := (casino.hold_player(p_ledger_id, p_player_id, false)).o_player;
    v_now constant timestamptz := casino.clock();
    v_limit_id uuid;
begin
    select loss_limit_minor into o_before
    from casino.play_sessions
    where ledger_id = p_ledger_id and play_session_id = p_play_session_id
        and play_session_id = casino.running_play_session(p_ledger_id, v_player.player_id)
    for no key update;
    o_code := case
        when not found then 'NOT_FOUND'
        when p_value_minor > o_before then 'LOSS_LIMIT_LOCKED'
    end;
    if o_code is null and o_before is distinct from p_value_minor then
        update casino.play_sessions
        set loss_limit_minor = p_value_minor
        where ledger_id = p_ledger_id and play_session_id = p_play_session_id;
        perform casino.begin_counting(p_ledger_id, v_player);
        update casino.player_limits
        set status = 'REPLACED', replaced_at = v_now
        where ledger_id = p_ledger_id and play_session_id = p_play_session_id and status = 'ACTIVE';
        insert into casino.player_limits (
            ledger_id, tenant_id, player_id, kind, period, value, status, effective_at, made_at, made_by_kind, made_by,
            play_session_id
        )
        values (
            p_ledger_id, v_player.tenant_id, p_player_id, 'loss', 'session', p_value_minor, 'ACTIVE', v_now, v_now, 'player',
            p_player_id, p_play_session_id
        )
        returning limit_id into v_limit_id;
        perform casino.tell_limit(p_ledger_id, v_limit_id);
    end if;
    return next;
end;
$$;
