-- Purpose: begin a run of reconciliation with a casino. A casino has one active run at a time, in all processes.
-- Outcome: its id; null while another run with this casino is active. Also null when the nightly run for p_scheduled_for
--   was done, was due before the casino was known, was tried p_tries_max times, or was tried less than p_pause_seconds ago.
-- A run whose lease ended is ended as unfinished. A run of the release before has no casino and counts as any casino's.
-- Locks: an advisory lock, so that a second caller sees the run that the first one began; then the active run.
create or replace function provider.begin_run_of(
    p_casino_code text,
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
    insert into provider.casinos (casino_code, known_since) values (p_casino_code, v_now)
    on conflict (casino_code) do nothing;
    update provider.reconciliation_runs
    set ended_at = v_now, exit_status = 2, failure = 'abandoned'
    where ended_at is null and lease_until <= v_now;
    if exists (select from provider.reconciliation_runs where ended_at is null and casino_code is null) then
        return null;
    end if;
    if p_scheduled_for is not null and (
        exists (
            select from provider.casinos where casino_code = p_casino_code and known_since >= p_scheduled_for
        )
        or exists (
            select from provider.reconciliation_runs
            where scheduled_for = p_scheduled_for and coalesce(casino_code, p_casino_code) = p_casino_code
                and (coalesce(exit_status, 0) < 2 or started_at > v_now - make_interval(secs => p_pause_seconds))
        )
        or (
            select count(*) from provider.reconciliation_runs
            where scheduled_for = p_scheduled_for and coalesce(casino_code, p_casino_code) = p_casino_code
        ) >= p_tries_max
    ) then
        return null;
    end if;
    insert into provider.reconciliation_runs (casino_code, ran_by, scheduled_for, heals, started_at, lease_until)
    values (p_casino_code, p_ran_by, p_scheduled_for, p_heals, v_now, v_now + make_interval(secs => p_lease_seconds))
    on conflict do nothing
    returning run_id into v_run_id;
    return v_run_id;
end;
$$;
