-- Purpose: the day, the ISO week and the month of an instant in a time zone: where each begins, and where the next one begins.
-- A midnight that a clock change leaves out is where the change is. No beginning is after the instant, also where a midnight comes twice.
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
create or replace function casino.calendar_periods(p_timezone text, p_now timestamptz)
returns table (
    o_day_from timestamptz, o_day_until timestamptz, o_week_from timestamptz, o_week_until timestamptz,
    o_month_from timestamptz, o_month_until timestamptz
)
language sql stable
begin atomic
    select
        least(local.day at time zone p_timezone, p_now), (local.day + interval '1 day') at time zone p_timezone,
        least(date_trunc('week', local.day) at time zone p_timezone, p_now),
        (date_trunc('week', local.day) + interval '1 week') at time zone p_timezone,
        least(date_trunc('month', local.day) at time zone p_timezone, p_now),
        (date_trunc('month', local.day) + interval '1 month') at time zone p_timezone
    from (select date_trunc('day', p_now at time zone p_timezone) as day offset 0) as local;
end;
