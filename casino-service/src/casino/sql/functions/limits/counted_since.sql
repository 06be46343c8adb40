-- Purpose: since when time counts as played at a bet: since the bet before it (p_played_until, null: none), or since the newest login, where
--   that login ended a pause of 15 minutes or more. A login that comes sooner stops no clock.
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
create or replace function casino.counted_since(p_played_until timestamptz, p_login_at timestamptz)
returns timestamptz
language sql immutable parallel safe
begin atomic
    select case
        when p_login_at - p_played_until < interval '15 minutes' then p_played_until
        else coalesce(p_login_at, p_played_until)
    end;
end;
