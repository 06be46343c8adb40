-- Purpose: promise a player the bonus of a redeemed voucher. It books nothing: the agent paid for it when the voucher was issued
--   (bonus_liability). An amount of 0 promises nothing.
-- Errors: unique_violation if the player has a pending bonus.
-- Lock order: casino.hold_wallets.
create or replace function casino.promise_bonus(
    p_ledger_id integer, p_wallet_id bigint, p_amount_minor bigint, p_voucher_id text, p_agent_tenant_id text
)
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_amount_minor = 0 then
        return;
    end if;
    perform casino.hold_wallets(p_ledger_id, array[p_wallet_id]);
    insert into casino.bonuses (
        ledger_id, tenant_id, wallet_id, amount_minor, currency, voucher_id, agent_tenant_id, promised_at
    )
    select p_ledger_id, tenant_id, wallet_id, p_amount_minor, currency, p_voucher_id, p_agent_tenant_id, casino.clock()
    from casino.wallets
    where ledger_id = p_ledger_id and wallet_id = p_wallet_id;
    update casino.wallets set pending_bonus_minor = p_amount_minor where ledger_id = p_ledger_id and wallet_id = p_wallet_id;
end;
$$;
