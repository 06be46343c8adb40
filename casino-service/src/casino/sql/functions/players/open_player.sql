-- Purpose: open a player with a wallet, and book the opening balance as a deposit from the house's cash.
-- Outcome: the wallet's id. A player who exists in the ledger is left untouched, whatever the other arguments say.
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
    v_wallet_id bigint;
begin
    insert into casino.wallets (ledger_id, tenant_id, player_id, player_name, currency)
    values (p_ledger_id, p_tenant_id, p_player_id, p_player_name, p_currency)
    on conflict do nothing
    returning wallet_id into v_wallet_id;

    if v_wallet_id is null then
        select wallet_id into v_wallet_id
        from casino.wallets
        where ledger_id = p_ledger_id and player_id = p_player_id;
        return v_wallet_id;
    end if;
    insert into casino.players (ledger_id, player_id, tenant_id, wallet_id, created_at)
    values (p_ledger_id, p_player_id, p_tenant_id, v_wallet_id, casino.clock());
    if p_opening_balance_minor > 0 then
        perform casino.book_entries(p_ledger_id, array[casino.house_entry(
            v_wallet_id, 'deposit', '§opening-balance', p_opening_balance_minor, p_currency, null, 'open-player'
        )], casino.clock());
    end if;
    return v_wallet_id;
end;
$$;
