-- Purpose: open a player with a wallet, and book the opening balance as a deposit from the house's cash.
-- Outcome: the wallet's id. A player who exists is left untouched, whatever the other arguments say.
-- The deposit's id is not ASCII, so no id that comes by wire can be equal to it.
-- Lock order: the wallet is new, nobody else can hold it. Not for the application's role: this makes money appear.
create or replace function casino.open_player(
    p_tenant_id text, p_player_id text, p_player_name text, p_currency text, p_opening_balance_minor bigint,
    p_ledger_id integer default 1
)
returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_deposit_id constant text := '§opening-balance';
    c_request_id constant text := 'open-player';
    v_wallet_id bigint;
    v_hash bytea;
    v_now constant timestamptz := casino.clock();
begin
    insert into casino.wallets (ledger_id, tenant_id, player_id, player_name, currency)
    values (p_ledger_id, p_tenant_id, p_player_id, p_player_name, p_currency)
    on conflict on constraint one_wallet_per_player do nothing
    returning wallet_id into v_wallet_id;

    if v_wallet_id is null then
        select wallet_id into v_wallet_id
        from casino.wallets
        where ledger_id = p_ledger_id and tenant_id = p_tenant_id and player_id = p_player_id;
        return v_wallet_id;
    end if;

    if p_opening_balance_minor > 0 then
        v_hash := casino.entry_hash_2(
            null, p_ledger_id, v_wallet_id, 1, c_deposit_id, 'deposit', null, null, p_opening_balance_minor, p_currency,
            null, p_opening_balance_minor, false, false, casino.entry_details(v_now, c_request_id, null)
        );
        insert into casino.transactions (
            ledger_id, wallet_id, transaction_id, tenant_id, kind, amount_minor, currency, state,
            balance_after_minor, sequence_no, entry_formula, entry_hash, request_id, recorded_at
        )
        values (
            p_ledger_id, v_wallet_id, c_deposit_id, p_tenant_id, 'deposit', p_opening_balance_minor, p_currency,
            'committed', p_opening_balance_minor, 1, 2, v_hash, c_request_id, v_now
        );
        insert into casino.postings (ledger_id, wallet_id, transaction_id, account, tenant_id, amount_minor, currency)
        values
            (p_ledger_id, v_wallet_id, c_deposit_id, 'wallet', p_tenant_id, p_opening_balance_minor, p_currency),
            (p_ledger_id, v_wallet_id, c_deposit_id, 'house_cash', p_tenant_id, - p_opening_balance_minor, p_currency);
        update casino.wallets
        set balance_minor = p_opening_balance_minor, sequence_no = 1, head_hash = v_hash
        where ledger_id = p_ledger_id and wallet_id = v_wallet_id;
    end if;
    return v_wallet_id;
end;
$$;
