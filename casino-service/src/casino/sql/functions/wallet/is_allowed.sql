-- Purpose: whether a kind of entry (its direction and house accounts: casino.entry_kinds) allows an entry. Its house side
--   must be the opposite of what it moves.
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
create or replace function casino.is_allowed(
    p_delta_minor bigint, p_house_accounts text[], p_house_minor bigint[], p_direction smallint, p_accounts text[]
)
returns boolean
language sql immutable parallel safe
begin atomic
    select
        p_house_accounts <@ p_accounts
        and cardinality(p_house_accounts) = cardinality(p_house_minor)
        and p_delta_minor * p_direction >= 0
        and p_delta_minor = - case
            when cardinality(p_house_minor) = 1 then p_house_minor[1]
            else casino.amount_sum(p_house_minor)
        end;
end;
