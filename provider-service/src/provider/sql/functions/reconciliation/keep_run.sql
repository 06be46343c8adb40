-- Purpose: say that a run goes on, and how far it is.
-- Outcome: whether it is still this process's: false once its lease ran out and another process ended it.
-- Locks: the run.
create or replace function provider.keep_run(
    p_run_id bigint,
    p_lease_seconds double precision,
    p_cursor text,
    p_compared bigint,
    p_open_count bigint
)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    update provider.reconciliation_runs
    set lease_until = provider.clock() + make_interval(secs => p_lease_seconds), cursor = p_cursor,
        compared = p_compared, open_count = p_open_count
    where run_id = p_run_id and ended_at is null;
    return found;
end;
$$;
