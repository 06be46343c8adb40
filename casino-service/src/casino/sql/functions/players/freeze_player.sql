-- Purpose: freeze a player, or end that: no bet is taken while a player is frozen. An exclusion is not touched.
-- Outcome: NOT_FOUND, PLAYER_NOT_ACTIVE for one who is CLOSED, else null. Repeating it changes nothing.
-- Locks: casino.hold_player.
create or replace function casino.freeze_player(p_ledger_id integer, p_player_id text, p_is_frozen boolean)
returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_player casino.players := (casino.hold_player(p_ledger_id, p_player_id, false)).o_player;
begin
    if v_player.player_id is null then
        return 'NOT_FOUND';
    elsif v_player.status = 'CLOSED' then
        return 'PLAYER_NOT_ACTIVE';
    end if;
    update casino.players
    set status = case when p_is_frozen then 'FROZEN' else 'ACTIVE' end
    where ledger_id = p_ledger_id and player_id = p_player_id;
    perform casino.settle_block(p_ledger_id, v_player.wallet_id);
    return null;
end;
$$;
