-- Purpose: take a player for the rest of the database transaction, with the wallet and, p_with_float, the float that pays for it.
-- Outcome: nulls for a player who is not there, or of a tenant that the transaction does not see. The float is the agent's, or the
--   tenant's of a player without an agent.
-- Lock order: casino.hold_wallets, then the player.
create or replace function casino.hold_player(
    p_ledger_id integer, p_player_id text, p_with_float boolean,
    out o_player casino.players, out o_wallet casino.wallets, out o_float_id bigint
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    select * into o_player from casino.players where ledger_id = p_ledger_id and player_id = p_player_id;
    if o_player.player_id is null or not casino.sees(p_ledger_id, o_player.tenant_id) then
        o_player := null;
        return;
    end if;
    if p_with_float then
        o_float_id := casino.float_of(p_ledger_id, coalesce(o_player.agent_id, o_player.tenant_id));
    end if;
    perform casino.hold_wallets(p_ledger_id, array_remove(array[o_player.wallet_id, o_float_id], null));
    select * into o_player
    from casino.players
    where ledger_id = p_ledger_id and player_id = p_player_id
    for no key update;
    select * into o_wallet from casino.wallets where ledger_id = p_ledger_id and wallet_id = o_player.wallet_id;
end;
$$;
