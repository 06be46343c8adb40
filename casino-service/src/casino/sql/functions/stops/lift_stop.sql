-- Purpose: end a stop. Outcome: the stop that was there; no row for one that is not there, or of a tenant that the caller does not
--   see. Only an owner ends an owner's.
-- Locks: casino.hold_tenants.
create or replace function casino.lift_stop(p_ledger_id integer, p_stop_id uuid)
returns setof casino.stops
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    delete from casino.stops
    where ledger_id = p_ledger_id and stop_id = p_stop_id
        and case when tenant_id is null then casino.has_oversight() else casino.sees(ledger_id, tenant_id) end
    returning *;
$$;
