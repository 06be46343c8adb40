-- Purpose: close a player's account. A pending bonus is forfeited; money stays in the wallet, from where staff withdraws it.
-- Outcome: o_code NOT_FOUND, else what was forfeited. Closing again changes nothing.
-- Lock order: casino.hold_player, with the float.
create or replace function casino.close_player(p_ledger_id integer, p_player_id text, p_reason text, p_request_id text)
returns table (o_code text, o_forfeited_minor bigint)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_player casino.players := (casino.hold_player(p_ledger_id, p_player_id, true)).o_player;
begin
    if v_player.player_id is null then
        o_code := 'NOT_FOUND';
    else
        o_forfeited_minor := casino.forfeit_bonus(p_ledger_id, v_player.wallet_id, p_reason, p_request_id);
        perform casino.end_player(p_ledger_id, v_player);
    end if;
    return next;
end;
$$;
