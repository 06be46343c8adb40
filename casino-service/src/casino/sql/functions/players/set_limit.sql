-- Purpose: set a limit of a player, for the player or, p_only_lower, for staff.
-- Input: p_value null: no such limit any more.
-- Outcome: the limit, or o_code: NOT_FOUND; PLAYER_NOT_ACTIVE for one who is CLOSED; LIMIT_MAY_ONLY_BE_LOWERED for staff; INVALID_FIELD for a limit that breaks the order of
--   day, week and month, or the removal of one that is not there. A lower limit holds at once, and what was asked for before is
--   dropped. A higher one, or none, waits for 24 hours and for casino.confirm_limit.
-- Locks: casino.hold_player, so a debit or a deposit is judged before or after it.
drop function if exists casino.set_limit(integer, text, text, text, bigint, boolean, text, text);
create or replace function casino.set_limit(
    p_ledger_id integer, p_player_id text, p_kind text, p_period text, p_value bigint, p_only_lower boolean,
    p_actor_kind text, p_actor_id text, p_reason text default null
)
returns table (
    o_code text, o_limit_id uuid, o_status text, o_effective_at timestamptz, o_before bigint
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_player casino.players := (casino.hold_player(p_ledger_id, p_player_id, false)).o_player;
    v_now constant timestamptz := casino.clock();
    v_is_lower boolean;
begin
    select value into o_before
    from casino.player_limits
    where ledger_id = p_ledger_id and player_id = p_player_id and kind = p_kind and period = p_period and status = 'ACTIVE';
    v_is_lower := p_value is not null and p_value <= coalesce(o_before, p_value);
    o_code := case
        when v_player.player_id is null then 'NOT_FOUND'
        when v_player.status = 'CLOSED' then 'PLAYER_NOT_ACTIVE'
        when p_only_lower and not v_is_lower then 'LIMIT_MAY_ONLY_BE_LOWERED'
        when p_value is null and o_before is null then 'INVALID_FIELD'
        when not casino.limits_are_ordered(p_ledger_id, p_player_id, p_kind, p_period, p_value, not v_is_lower)
            then 'INVALID_FIELD'
    end;
    if o_code is not null then
        return next;
        return;
    end if;

    update casino.player_limits
    set status = 'REPLACED', replaced_at = v_now
    where ledger_id = p_ledger_id and player_id = p_player_id and kind = p_kind and period = p_period
        and (status = 'PENDING' or (status = 'ACTIVE' and v_is_lower));
    o_status := case when v_is_lower then 'ACTIVE' else 'PENDING' end;
    o_effective_at := case when v_is_lower then v_now else v_now + interval '24 hours' end;
    insert into casino.player_limits (
        ledger_id, tenant_id, player_id, kind, period, value, status, effective_at, made_at, made_by_kind, made_by, reason
    )
    values (
        p_ledger_id, v_player.tenant_id, p_player_id, p_kind, p_period, p_value, o_status, o_effective_at, v_now,
        p_actor_kind, p_actor_id, p_reason
    )
    returning limit_id into o_limit_id;
    if v_is_lower then
        perform casino.settle_limits(p_ledger_id, v_player);
        perform casino.tell_limit(p_ledger_id, o_limit_id);
    end if;
    return next;
end;
$$;
