-- Purpose: where a wallet's row stands now (ctid). The caller holds the wallet, so the row stays there until it writes it.
-- Stable: a volatile function could not lead a scan to the row.
create or replace function casino.wallet_row(p_ledger_id integer, p_wallet_id bigint)
returns tid
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select ctid from casino.wallets where ledger_id = p_ledger_id and wallet_id = p_wallet_id;
$$;
