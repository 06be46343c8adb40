-- Purpose: log a player out: the tokens and the game sessions end, the play session goes on. An ephemeral account in which nothing
--   is left closes.
-- Outcome: whether the account was closed.
-- Lock order: casino.hold_player.
create or replace function casino.logout_player(p_ledger_id integer, p_player_id text)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_held record;
begin
    v_held := casino.hold_player(p_ledger_id, p_player_id, false);
    if (v_held.o_player).player_id is null then
        return false;
    end if;
    perform casino.end_access(p_ledger_id, v_held.o_player);
    return casino.end_if_empty(p_ledger_id, v_held.o_player, v_held.o_wallet);
end;
$$;
