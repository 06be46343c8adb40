-- Purpose: hold a bet against the limits of its player, or find the counters of another command. The caller holds the wallet.
-- Outcome: no row for a wallet without limits. Else where its counters stand (counter_row), whether their day is over
--   (counter_is_old), since when play is not counted as played time yet, the first limit of losses that the bet would reach with its
--   stake (loss_period, null: none; loss_minor: without the stake), and whether it would reach one of time with the play until now.
--   A counter whose period is over is 0.
-- Time runs from bet to bet, and to the first bet from the login (casino.counted_since).
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
create or replace function casino.limits_of_bet(
    p_ledger_id integer, p_wallet_id bigint, p_has_limits boolean, p_is_bet boolean, p_play_session_id uuid, p_timezone text,
    p_stake_minor bigint, p_now timestamptz
)
returns table (
    counter_row tid, counter_is_old boolean, played_from timestamptz, loss_period text, loss_limit_minor numeric,
    loss_minor numeric, over_time_limit boolean
)
language sql stable
begin atomic
    select
        counter.ctid, p_now >= counter.day_until, stand.played_from,
        reached.loss_period,
        case reached.loss_period
            when 'session' then play.loss_limit_minor
            when 'day' then counter.day_loss_max_minor
            when 'week' then counter.week_loss_max_minor
            when 'month' then counter.month_loss_max_minor
        end,
        case reached.loss_period
            when 'session' then lost.session_minor
            when 'day' then lost.day_minor
            when 'week' then lost.week_minor
            when 'month' then lost.month_minor
        end,
        p_is_bet and (
            case
                when p_now < counter.day_until then counter.day_played + (p_now - greatest(stand.played_from, counter.day_from))
                else p_now - greatest(stand.played_from, counter.day_until, new.o_day_from)
            end >= counter.day_time_max
            or case
                when p_now < counter.week_until
                    then counter.week_played + (p_now - greatest(stand.played_from, counter.week_from))
                else p_now - greatest(stand.played_from, counter.week_until, new.o_week_from)
            end >= counter.week_time_max
            or case
                when p_now < counter.month_until
                    then counter.month_played + (p_now - greatest(stand.played_from, counter.month_from))
                else p_now - greatest(stand.played_from, counter.month_until, new.o_month_from)
            end >= counter.month_time_max
        ) is true
    from casino.limit_counters as counter
    left join lateral (
        select * from casino.calendar_periods(p_timezone, p_now) where p_is_bet and p_now >= counter.day_until limit 1
    ) as new on true
    left join lateral (
        select last_login_at, loss_limit_minor from casino.play_sessions
        where p_is_bet and ledger_id = p_ledger_id and play_session_id = p_play_session_id limit 1
    ) as play on true
    cross join lateral (
        select least(coalesce(casino.counted_since(counter.played_until, play.last_login_at), p_now), p_now) as played_from
    ) as stand
    cross join lateral (
        select
            case when counter.play_session_id = p_play_session_id then counter.session_loss_minor else 0 end as session_minor,
            case when p_now < counter.day_until then counter.day_loss_minor else 0 end as day_minor,
            case when p_now < counter.week_until then counter.week_loss_minor else 0 end as week_minor,
            case when p_now < counter.month_until then counter.month_loss_minor else 0 end as month_minor
    ) as lost
    cross join lateral (
        select case
            when not p_is_bet then null
            when lost.session_minor + p_stake_minor >= play.loss_limit_minor then 'session'
            when lost.day_minor + p_stake_minor >= counter.day_loss_max_minor then 'day'
            when lost.week_minor + p_stake_minor >= counter.week_loss_max_minor then 'week'
            when lost.month_minor + p_stake_minor >= counter.month_loss_max_minor then 'month'
        end as loss_period
    ) as reached
    where p_has_limits and counter.ledger_id = p_ledger_id and counter.wallet_id = p_wallet_id
    limit 1;
end;
