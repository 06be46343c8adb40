-- Purpose: make a player of the platform with an empty wallet.
-- Input: p_voucher_id is the voucher that the player redeemed, p_agent_id its tenant, p_cashier_id the staff id that issued it.
-- Outcome: the wallet's id. Errors (unique_violation): the player or the login code is there already.
-- Lock order: the wallet is new, nobody else can hold it. Not for the application's role.
create or replace function casino.create_player(
    p_ledger_id integer, p_tenant_id text, p_player_id text, p_login_code_mac bytea, p_pin_mac bytea, p_voucher_id text,
    p_agent_id text, p_cashier_id text, p_currency text
)
returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now constant timestamptz := casino.clock();
    v_wallet_id bigint;
begin
    insert into casino.wallets (ledger_id, tenant_id, player_id, player_name, currency, agent_id, cashier_id)
    values (p_ledger_id, p_tenant_id, p_player_id, p_player_id, p_currency, p_agent_id, p_cashier_id)
    returning wallet_id into v_wallet_id;
    insert into casino.players (
        ledger_id, player_id, tenant_id, wallet_id, login_code_mac, pin_mac, is_ephemeral, voucher_id, agent_id, cashier_id,
        created_at
    )
    values (
        p_ledger_id, p_player_id, p_tenant_id, v_wallet_id, p_login_code_mac, p_pin_mac, p_voucher_id is not null, p_voucher_id,
        p_agent_id, p_cashier_id, v_now
    );
    return v_wallet_id;
end;
$$;
