-- Purpose: casino.read_balances without heads, for processes of the release before. The next release drops it.
create or replace function casino.get_balances(p_ledger_id integer, p_requests jsonb)
returns table (o_place integer, o_code text, o_balance_minor bigint, o_currency text)
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    select o_place, o_code, o_balance_minor, o_currency from casino.read_balances(p_ledger_id, p_requests);
$$;
