-- Purpose: exclude a player from play, at once: the next bet is refused. Nobody can shorten it: the later end holds. A wish that ends
--   less than an hour later than what holds is the same wish again: it is kept, and changes nothing.
-- Input: p_period P7D, P1M, P6M or PERMANENT.
-- Outcome: o_code NOT_FOUND, else when it ends (null: never), whether this call made it longer, and what was in force before:
--   o_was_excluded, until o_before (null: for ever).
-- Locks: casino.hold_player.
drop function if exists casino.exclude_player(integer, text, text, text, text, text);
create function casino.exclude_player(
    p_ledger_id integer, p_player_id text, p_period text, p_reason text, p_actor_kind text, p_actor_id text
)
returns table (
    o_code text, o_until timestamptz, o_is_longer boolean, o_was_excluded boolean, o_before timestamptz
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_held record := casino.hold_player(p_ledger_id, p_player_id, false);
    v_now constant timestamptz := casino.clock();
    v_before constant timestamptz := (v_held.o_wallet).excluded_until;
    v_until constant timestamptz := case p_period
        when 'PERMANENT' then 'infinity'
        when 'P7D' then v_now + interval '7 days'
        when 'P1M' then (v_now at time zone 'UTC' + interval '1 month') at time zone 'UTC'
        when 'P6M' then (v_now at time zone 'UTC' + interval '6 months') at time zone 'UTC'
    end;
begin
    if (v_held.o_player).player_id is null then
        o_code := 'NOT_FOUND';
        return next;
        return;
    end if;
    o_was_excluded := coalesce(v_before > v_now, false);
    o_before := case when o_was_excluded then nullif(v_before, 'infinity') end;
    o_is_longer := coalesce(v_until > v_before and v_until >= v_before + interval '1 hour', true);
    o_until := nullif(case when o_is_longer then v_until else v_before end, 'infinity');
    insert into casino.player_exclusions (
        ledger_id, tenant_id, player_id, period, excluded_until, made_at, made_by_kind, made_by, reason
    )
    values (
        p_ledger_id, (v_held.o_player).tenant_id, p_player_id, p_period, v_until, v_now, p_actor_kind, p_actor_id, p_reason
    );
    if o_is_longer then
        update casino.wallets
        set excluded_until = v_until
        where ledger_id = p_ledger_id and wallet_id = (v_held.o_wallet).wallet_id;
        perform casino.tell(p_ledger_id, (v_held.o_player).tenant_id, 'player.excluded', p_player_id, null, jsonb_build_object(
            'until', casino.wire_instant(o_until), 'madeBy', p_actor_kind
        ));
    end if;
    return next;
end;
$$;
