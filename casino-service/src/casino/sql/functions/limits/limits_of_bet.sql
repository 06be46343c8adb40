-- Purpose: hold a bet against the limits of its player, or find the counters of another command. The caller holds the wallet.
-- Outcome: no row for a wallet without limits. Else where its counters stand (counter_row), whether their day is over
--   (counter_is_old), since when play is not counted as played time yet, and whether the bet would reach a limit: losses with its
--   stake, time with the play until now. A counter whose period is over is 0.
-- Time runs from bet to bet, and to the first bet from the login (casino.counted_since).
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
create or replace function casino.limits_of_bet(
    p_ledger_id integer, p_wallet_id bigint, p_has_limits boolean, p_is_bet boolean, p_play_session_id uuid, p_timezone text,
    p_stake_minor bigint, p_now timestamptz
)
returns table (
    counter_row tid, counter_is_old boolean, played_from timestamptz, over_loss_limit boolean, over_time_limit boolean
)
language sql stable
begin atomic
    select
        counter.ctid, p_now >= counter.day_until, stand.played_from,
        p_is_bet and (
            case when counter.play_session_id = p_play_session_id then counter.session_loss_minor else 0 end
            + p_stake_minor >= play.loss_limit_minor
            or case when p_now < counter.day_until then counter.day_loss_minor else 0 end
            + p_stake_minor >= counter.day_loss_max_minor
            or case when p_now < counter.week_until then counter.week_loss_minor else 0 end
            + p_stake_minor >= counter.week_loss_max_minor
            or case when p_now < counter.month_until then counter.month_loss_minor else 0 end
            + p_stake_minor >= counter.month_loss_max_minor
        ) is true,
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
    where p_has_limits and counter.ledger_id = p_ledger_id and counter.wallet_id = p_wallet_id
    limit 1;
end;
