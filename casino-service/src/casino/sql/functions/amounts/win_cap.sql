-- Purpose: the most that one round of a game may pay: what the game says, or 100,000 times its largest stake.
-- Outcome: without a cap of the game's own never above 2^62, the most that a wallet holds.
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
create or replace function casino.win_cap(p_win_cap_minor bigint, p_stake_max_minor bigint)
returns bigint
language sql immutable parallel safe
begin atomic
    select coalesce(p_win_cap_minor, least(p_stake_max_minor, 46116860184273) * 100000);
end;
