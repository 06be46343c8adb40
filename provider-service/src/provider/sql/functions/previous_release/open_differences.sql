-- Purpose: the number of differences that the last complete run found and did not repair.
-- For processes of the release before. The next release drops it.
-- Outcome: their number; 0 before the first run. A run with an end in the future is ignored.
create or replace function provider.open_differences()
returns bigint
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce((
        select found - healed
        from provider.reconciliation_runs
        where exit_status < 2 and ended_at <= provider.clock()
        order by run_id desc
        limit 1
    ), 0);
$$;
