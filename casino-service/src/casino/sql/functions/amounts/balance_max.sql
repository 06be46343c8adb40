-- Purpose: the highest balance of a wallet, 2^62 (constraint balance_within_bounds): two of them fit into a bigint.
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
create or replace function casino.balance_max()
returns bigint
language sql immutable parallel safe
begin atomic
    select 4611686018427387904;
end;
