-- Purpose: the months (UTC) from the present one to p_ahead months later that no partition of casino.ledger_events has, each by
--   its first instant. Their events go to the default partition.
create or replace function casino.event_months_missing(p_ahead integer default 3)
returns setof timestamptz
language sql volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
    select month.begins
    from (
        select date_trunc('month', casino.clock()) + make_interval(months => place) as begins
        from generate_series(0, least(p_ahead, 24)) as place
    ) as month
    where not exists (select from casino.event_months() where o_from <= month.begins and o_to > month.begins);
$$;
