-- Purpose: where the day, the ISO week and the month of an instant begin in a time zone.
-- A midnight that a clock change leaves out begins with the change.
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
create or replace function casino.calendar_periods(p_timezone text, p_now timestamptz)
returns table (o_today date, o_day_from timestamptz, o_week_from timestamptz, o_month_from timestamptz)
language sql stable
begin atomic
    select
        local.day::date, local.day at time zone p_timezone, date_trunc('week', local.day) at time zone p_timezone,
        date_trunc('month', local.day) at time zone p_timezone
    from (select date_trunc('day', p_now at time zone p_timezone) as day offset 0) as local;
end;
