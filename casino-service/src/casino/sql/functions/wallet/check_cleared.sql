-- Purpose: what one call of casino.book_entries posts on an account that clears (casino.accounts) sums to zero in each
--   currency: money that left one wallet reached another. Raises check_violation.
create or replace function casino.check_cleared(p_entries casino.entry [])
returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (
        select
        from unnest(p_entries) as entry
        cross join lateral unnest(entry.house_accounts, entry.house_minor) as side (account, amount)
        join casino.accounts as account on account.account = side.account and account.clears
        group by side.account, entry.currency
        having sum(side.amount) <> 0
    ) then
        raise exception 'money was left between two wallets' using errcode = 'check_violation';
    end if;
end;
$$;
