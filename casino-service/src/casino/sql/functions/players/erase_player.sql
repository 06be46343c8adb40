-- Purpose: sever what names a person from the ids of the ledger: login code, PIN, name, addresses and fingerprints of sessions.
--   The money rows and a running exclusion stay. The account closes.
-- Outcome: NOT_FOUND; PLAYER_NOT_EMPTY with money, an open bet or a pending bonus; else null. Erasing again changes nothing.
-- Locks: casino.hold_player.
create or replace function casino.erase_player(p_ledger_id integer, p_player_id text)
returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_held record := casino.hold_player(p_ledger_id, p_player_id, false);
    v_wallet_id constant bigint := (v_held.o_wallet).wallet_id;
begin
    if (v_held.o_player).player_id is null then
        return 'NOT_FOUND';
    elsif (v_held.o_wallet).balance_minor > 0 or (v_held.o_wallet).pending_bonus_minor > 0
        or casino.has_open_bet(p_ledger_id, v_wallet_id)
    then
        return 'PLAYER_NOT_EMPTY';
    end if;
    perform casino.end_player(p_ledger_id, v_held.o_player);
    update casino.players
    set login_code_mac = null, pin_mac = null, erased_at = coalesce(erased_at, casino.clock())
    where ledger_id = p_ledger_id and player_id = p_player_id;
    update casino.wallets set player_name = player_id where ledger_id = p_ledger_id and wallet_id = v_wallet_id;
    update casino.game_sessions
    set client_address = null, country = null, fingerprint = null
    where ledger_id = p_ledger_id and wallet_id = v_wallet_id;
    return null;
end;
$$;
