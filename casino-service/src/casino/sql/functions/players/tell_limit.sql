-- Purpose: tell that a limit of a player came into force, in the transaction of that change. The caller holds the player.
create or replace function casino.tell_limit(p_ledger_id integer, p_limit_id uuid)
returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select casino.tell_limit_change(p_ledger_id, player_id, limit_id, kind, period, value, made_by_kind)
    from casino.player_limits
    where ledger_id = p_ledger_id and limit_id = p_limit_id;
$$;
