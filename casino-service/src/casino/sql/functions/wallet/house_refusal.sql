-- Purpose: why an entry that does not come by wire cannot be booked on a wallet with this balance, or null.
create or replace function casino.house_refusal(p_entry casino.entry, p_balance_minor bigint)
returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select case
        when (p_entry).delta_minor < - p_balance_minor then 'insufficient_balance'
        when (p_entry).delta_minor > casino.balance_max() - p_balance_minor then 'balance_too_high'
    end;
$$;
