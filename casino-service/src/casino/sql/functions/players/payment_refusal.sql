-- Purpose: why staff cannot move a player's money, or null: the order of these refusals. The caller holds the player.
-- Input: p_amount_minor is signed for an adjustment, and the balance for a cash-out.
create or replace function casino.payment_refusal(
    p_ledger_id integer, p_player casino.players, p_wallet casino.wallets, p_kind text, p_amount_minor bigint
)
returns text
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_status constant text := casino.player_status((p_player).status, (p_wallet).excluded_until, casino.clock());
    v_takes constant bigint := case p_kind when 'WITHDRAW' then p_amount_minor when 'ADJUST' then - p_amount_minor end;
begin
    return case
        when p_kind = 'DEPOSIT' and not (
            select is_open from casino.tenants where ledger_id = p_ledger_id and tenant_id = (p_player).tenant_id
        ) then 'TENANT_NOT_ACTIVE'
        when p_kind = 'DEPOSIT' and v_status <> 'ACTIVE' then 'PLAYER_NOT_ACTIVE'
        when p_kind = 'DEPOSIT' and casino.over_deposit_limit(p_ledger_id, p_player, p_amount_minor)
            then 'DEPOSIT_LIMIT_REACHED'
        when p_kind = 'CASHOUT' and v_status = 'CLOSED' then 'PLAYER_NOT_ACTIVE'
        when p_kind = 'CASHOUT' and casino.has_open_bet(p_ledger_id, (p_wallet).wallet_id) then 'OPEN_BETS'
        when v_takes > (p_wallet).balance_minor then 'INSUFFICIENT_FUNDS'
    end;
end;
$$;
