-- Purpose: whether a bet of this wallet waits for its round's end, in whatever session it was placed.
create or replace function casino.has_open_bet(p_ledger_id integer, p_wallet_id bigint)
returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select exists (
        select from casino.game_sessions where ledger_id = p_ledger_id and wallet_id = p_wallet_id and open_bets > 0
    );
$$;
