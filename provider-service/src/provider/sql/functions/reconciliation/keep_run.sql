-- Purpose: renew a run's lease and store its progress.
-- Outcome: false when the lease had ended and another process ended the run.
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
