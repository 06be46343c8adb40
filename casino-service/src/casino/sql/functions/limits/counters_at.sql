-- Purpose: what stands on a wallet's counters at an instant, with the periods of that instant. A counter of an older day, ISO week or
--   month is 0. A local date before counted_on is no new period: the tenant's time zone was changed, or the clock set back.
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
create or replace function casino.counters_at(p_counter casino.limit_counters, p_timezone text, p_now timestamptz)
returns table (
    o_today date, o_day_from timestamptz, o_week_from timestamptz, o_month_from timestamptz,
    o_day_loss_minor numeric, o_week_loss_minor numeric, o_month_loss_minor numeric,
    o_day_played_seconds numeric, o_week_played_seconds numeric, o_month_played_seconds numeric
)
language sql stable
begin atomic
    select
        period.o_today, period.o_day_from, period.o_week_from, period.o_month_from,
        case when fresh.same_day then p_counter.day_loss_minor else 0 end,
        case when fresh.same_week then p_counter.week_loss_minor else 0 end,
        case when fresh.same_month then p_counter.month_loss_minor else 0 end,
        case when fresh.same_day then p_counter.day_played_seconds else 0 end,
        case when fresh.same_week then p_counter.week_played_seconds else 0 end,
        case when fresh.same_month then p_counter.month_played_seconds else 0 end
    from casino.calendar_periods(p_timezone, p_now) as period
    cross join lateral (
        select
            p_counter.counted_on >= period.o_today as same_day,
            p_counter.counted_on >= date_trunc('week', period.o_today::timestamp) as same_week,
            p_counter.counted_on >= date_trunc('month', period.o_today::timestamp) as same_month
    ) as fresh;
end;
