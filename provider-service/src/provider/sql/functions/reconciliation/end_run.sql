-- Purpose: end a run. p_failure: the code why it could not finish; null when it did.
-- Outcome: the exit status: 0 no open difference, 1 some, 2 unfinished.
-- Locks: the run.
create or replace function provider.end_run(p_run_id bigint, p_failure text)
returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_found bigint;
    v_healed bigint;
    v_exit_status integer;
begin
    select count(*), count(healed_at) into v_found, v_healed
    from provider.reconciliation_differences where run_id = p_run_id;
    v_exit_status := case when p_failure is not null then 2 when v_found > v_healed then 1 else 0 end;
    update provider.reconciliation_runs
    set ended_at = provider.clock(), exit_status = v_exit_status, failure = p_failure, found = v_found,
        healed = v_healed
    where run_id = p_run_id and ended_at is null;
    return v_exit_status;
end;
$$;
