-- Purpose: how many transactions of a ledger, of all its tenants, have no signer although their formula demands one.
-- The condition of the index transactions_fed_unsigned, word for word: it is empty while all is well.
create or replace function casino.count_unsigned(p_ledger_id integer)
returns bigint
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select count(*) from casino.transactions
    where ledger_id = p_ledger_id and entry_formula > 1 and feed_position is not null and coalesce(signed_by, '') = '';
$$;
