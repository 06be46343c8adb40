-- Purpose: begin a run of reconciliation. Only one run is active at a time, in all processes.
-- Outcome: its id; null while another run is active. Also null when the nightly run for p_scheduled_for was done, was
--   due before the installation, was tried p_tries_max times, or was tried less than p_pause_seconds ago.
-- A run whose lease ended is ended as unfinished.
-- For processes of the release before, which know one casino: null once these books have players of a second one. The next
--   release drops it; begin_run_of replaces it.
-- Locks: an advisory lock, so that a second caller sees the run that the first one began; then the active run.
create or replace function provider.begin_run(
    p_ran_by text,
    p_heals boolean,
    p_lease_seconds double precision,
    p_scheduled_for timestamptz,
    p_tries_max bigint,
    p_pause_seconds double precision
)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    c_beginning constant bigint := 8243104023216089452;  -- the bytes of 'reconcil'; no other lock uses this key
    v_now timestamptz;
    v_run_id bigint;
begin
    perform pg_catalog.pg_advisory_xact_lock(c_beginning);
    v_now := provider.clock();
    update provider.reconciliation_runs
    set ended_at = v_now, exit_status = 2, failure = 'abandoned'
    where ended_at is null and lease_until <= v_now;
    if exists (select from provider.reconciliation_runs where ended_at is null)
        or (select min(p.casino_code) is distinct from max(p.casino_code) from provider.players as p) then
        return null;
    end if;
    if p_scheduled_for is not null and (
        exists (select from provider.reconciliation_schedule where installed_at >= p_scheduled_for)
        or exists (
            select from provider.reconciliation_runs
            where scheduled_for = p_scheduled_for
                and (coalesce(exit_status, 0) < 2 or started_at > v_now - make_interval(secs => p_pause_seconds))
        )
        or (
            select count(*) from provider.reconciliation_runs where scheduled_for = p_scheduled_for
        ) >= p_tries_max
    ) then
        return null;
    end if;
    insert into provider.reconciliation_runs (ran_by, scheduled_for, heals, started_at, lease_until)
    values (p_ran_by, p_scheduled_for, p_heals, v_now, v_now + make_interval(secs => p_lease_seconds))
    on conflict do nothing
    returning run_id into v_run_id;
    return v_run_id;
end;
$$;
