-- Purpose: hold a bet against the limits of its player. The caller holds the wallet.
-- Outcome: no row for a wallet without limits. Else where its counters stand (counter_row), since when play is not counted as played
--   time yet, and whether the bet would reach a limit: losses count with the bet's stake, time with the play until now.
-- Time runs from bet to bet, and to the first bet from the login. From a bet to the next login it does not.
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
create or replace function casino.limits_of_bet(
    p_ledger_id integer, p_wallet_id bigint, p_has_limits boolean, p_play_session_id uuid, p_timezone text,
    p_stake_minor bigint, p_now timestamptz
)
returns table (counter_row tid, played_from timestamptz, over_loss_limit boolean, over_time_limit boolean)
language sql stable
begin atomic
    select
        counter.ctid, gap.played_from,
        (
            case when counter.play_session_id = p_play_session_id then counter.session_loss_minor else 0 end
            + p_stake_minor >= play.loss_limit_minor
            or stand.o_day_loss_minor + p_stake_minor >= counter.day_loss_max_minor
            or stand.o_week_loss_minor + p_stake_minor >= counter.week_loss_max_minor
            or stand.o_month_loss_minor + p_stake_minor >= counter.month_loss_max_minor
        ) is true,
        (
            stand.o_day_played_seconds + casino.elapsed_seconds(greatest(gap.played_from, stand.o_day_from), p_now)
            >= 60::numeric * counter.day_time_max_minutes
            or stand.o_week_played_seconds + casino.elapsed_seconds(greatest(gap.played_from, stand.o_week_from), p_now)
            >= 60::numeric * counter.week_time_max_minutes
            or stand.o_month_played_seconds + casino.elapsed_seconds(greatest(gap.played_from, stand.o_month_from), p_now)
            >= 60::numeric * counter.month_time_max_minutes
        ) is true
    from casino.limit_counters as counter
    cross join lateral casino.counters_at(counter, p_timezone, p_now) as stand
    left join lateral (
        select last_login_at, loss_limit_minor from casino.play_sessions
        where ledger_id = p_ledger_id and play_session_id = p_play_session_id limit 1
    ) as play on true
    cross join lateral (
        select coalesce(greatest(counter.played_until, play.last_login_at), p_now) as played_from
    ) as gap
    where p_has_limits and counter.ledger_id = p_ledger_id and counter.wallet_id = p_wallet_id
    limit 1;
end;
