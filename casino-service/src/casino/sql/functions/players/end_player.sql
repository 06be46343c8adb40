-- Purpose: close a player's account for good: no login, no bet, no session. What is in the wallet stays there.
-- The caller holds the player (casino.hold_player).
create or replace function casino.end_player(p_ledger_id integer, p_player casino.players)
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now constant timestamptz := casino.clock();
begin
    update casino.players
    set status = 'CLOSED', closed_at = v_now
    where ledger_id = p_ledger_id and player_id = (p_player).player_id and status <> 'CLOSED';
    if found then
        perform casino.tell(p_ledger_id, (p_player).tenant_id, 'player.closed', (p_player).player_id, null, (
            select jsonb_build_object('balanceMinor', balance_minor, 'currency', currency)
            from casino.wallets
            where ledger_id = p_ledger_id and wallet_id = (p_player).wallet_id
        ));
    end if;
    update casino.play_sessions
    set ended_at = v_now
    where ledger_id = p_ledger_id and player_id = (p_player).player_id and ended_at is null;
    perform casino.end_access(p_ledger_id, p_player);
    perform casino.settle_block(p_ledger_id, (p_player).wallet_id);
end;
$$;
