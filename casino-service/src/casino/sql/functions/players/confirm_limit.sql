-- Purpose: the player wants a higher limit, or none, still: it comes into force.
-- Outcome: the limit, or o_code: NOT_FOUND (not the player's, replaced, or more than 7 days late), PLAYER_NOT_ACTIVE (CLOSED), LIMIT_NOT_DUE, INVALID_FIELD for
--   one that breaks the order of day, week and month by now. One that was confirmed before is answered again.
-- Locks: casino.hold_player.
create or replace function casino.confirm_limit(p_ledger_id integer, p_player_id text, p_limit_id uuid)
returns table (
    o_code text, o_kind text, o_period text, o_value bigint, o_status text, o_effective_at timestamptz, o_before bigint
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_player casino.players := (casino.hold_player(p_ledger_id, p_player_id, false)).o_player;
    v_now constant timestamptz := casino.clock();
    v_limit casino.player_limits;
begin
    select * into v_limit
    from casino.player_limits
    where ledger_id = p_ledger_id and player_id = v_player.player_id and limit_id = p_limit_id and status <> 'REPLACED';
    o_code := case
        when v_limit.limit_id is null or v_now > v_limit.effective_at + interval '7 days' then 'NOT_FOUND'
        when v_player.status = 'CLOSED' then 'PLAYER_NOT_ACTIVE'
        when v_limit.status = 'ACTIVE' then null
        when v_now < v_limit.effective_at then 'LIMIT_NOT_DUE'
        when not casino.limits_are_ordered(
            p_ledger_id, p_player_id, v_limit.kind, v_limit.period, v_limit.value, false
        ) then 'INVALID_FIELD'
    end;
    if o_code is null and v_limit.status = 'PENDING' then
        update casino.player_limits
        set status = 'REPLACED', replaced_at = v_now
        where ledger_id = p_ledger_id and player_id = p_player_id and kind = v_limit.kind and period = v_limit.period
            and status = 'ACTIVE'
        returning value into o_before;
        update casino.player_limits set status = 'ACTIVE', confirmed_at = v_now where ledger_id = p_ledger_id and limit_id = p_limit_id;
        perform casino.settle_limits(p_ledger_id, v_player);
        perform casino.tell_limit(p_ledger_id, p_limit_id);
    end if;
    o_kind := v_limit.kind;
    o_period := v_limit.period;
    o_value := v_limit.value;
    o_status := 'ACTIVE';
    o_effective_at := v_limit.effective_at;
    return next;
end;
$$;
