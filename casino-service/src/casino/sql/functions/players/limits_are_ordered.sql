-- Purpose: whether a limit fits the player's others of its kind: by day at most that by week, by week at most that by month.
-- Input: p_with_wishes: compare with what the player has asked for, where that is, instead of what is in force.
create or replace function casino.limits_are_ordered(
    p_ledger_id integer, p_player_id text, p_kind text, p_period text, p_value bigint, p_with_wishes boolean
)
returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with other as (
        select distinct on (period) period, value
        from casino.player_limits
        where ledger_id = p_ledger_id and player_id = p_player_id and kind = p_kind and period <> p_period
            and period <> 'session'
            and (status = 'ACTIVE' or (
                p_with_wishes and status = 'PENDING' and effective_at > casino.clock() - interval '7 days'
            ))
        order by period, status = 'PENDING' desc
    )
    select not exists (
        select from other
        where case
            when p_period = 'day' or (p_period = 'week' and period = 'month') then p_value > value
            else p_value < value
        end
    );
$$;
