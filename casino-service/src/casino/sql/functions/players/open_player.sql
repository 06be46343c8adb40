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
set search_path = ''
as $$
declare
    v_wallet_id bigint;
    v_now constant timestamptz := casino.clock();
begin
    insert into casino.wallets (ledger_id, tenant_id, player_id, player_name, currency, balance_minor, sequence_no)
    values (
        p_ledger_id, p_tenant_id, p_player_id, p_player_name, p_currency, p_opening_balance_minor,
        (p_opening_balance_minor > 0)::integer
    )
    on conflict on constraint one_wallet_per_player do nothing
    returning wallet_id into v_wallet_id;

    if v_wallet_id is null then
        select wallet_id into v_wallet_id
        from casino.wallets
        where ledger_id = p_ledger_id and tenant_id = p_tenant_id and player_id = p_player_id;
        return v_wallet_id;
    end if;

    if p_opening_balance_minor > 0 then
        insert into casino.transactions (
            ledger_id, wallet_id, transaction_id, tenant_id, kind, amount_minor, currency, state,
            balance_after_minor, sequence_no, request_id, recorded_at
        )
        values (
            p_ledger_id, v_wallet_id, '§opening-balance', p_tenant_id, 'deposit', p_opening_balance_minor, p_currency,
            'committed', p_opening_balance_minor, 1, 'open-player', v_now
        );
        insert into casino.postings (ledger_id, wallet_id, transaction_id, account, tenant_id, amount_minor, currency)
        values
            (p_ledger_id, v_wallet_id, '§opening-balance', 'wallet', p_tenant_id, p_opening_balance_minor, p_currency),
            (p_ledger_id, v_wallet_id, '§opening-balance', 'house_cash', p_tenant_id, - p_opening_balance_minor, p_currency);
    end if;
    return v_wallet_id;
end;
$$;
