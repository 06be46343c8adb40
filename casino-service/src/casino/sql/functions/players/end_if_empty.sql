-- Purpose: close the account of an ephemeral player in which nothing is left: no money, no pending bonus, no open bet.
-- Outcome: whether it was closed. The caller holds the player.
create or replace function casino.end_if_empty(p_ledger_id integer, p_player casino.players, p_wallet casino.wallets)
returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if not (p_player).is_ephemeral or (p_player).status = 'CLOSED' or (p_wallet).balance_minor > 0
        or (p_wallet).pending_bonus_minor > 0 or casino.has_open_bet(p_ledger_id, (p_wallet).wallet_id)
    then
        return false;
    end if;
    perform casino.end_player(p_ledger_id, p_player);
    return true;
end;
$$;
