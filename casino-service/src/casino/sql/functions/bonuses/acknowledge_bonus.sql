-- Purpose: the player has seen that a bonus was granted: the next bet is taken.
-- Outcome: whether there was one to acknowledge. Only of a player whose tenant the transaction sees.
-- Lock order: casino.hold_wallets. A bet that is judged before is refused, a bet after it is not.
create or replace function casino.acknowledge_bonus(p_ledger_id integer, p_player_id text)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wallet_id bigint;
begin
    select wallet_id into v_wallet_id
    from casino.wallets
    where ledger_id = p_ledger_id and player_id = p_player_id and bonus_ack_required and casino.sees(p_ledger_id, tenant_id);
    if v_wallet_id is null then
        return false;
    end if;
    perform casino.hold_wallets(p_ledger_id, array[v_wallet_id]);
    update casino.wallets set bonus_ack_required = false
    where ledger_id = p_ledger_id and wallet_id = v_wallet_id and bonus_ack_required;
    return found;
end;
$$;
