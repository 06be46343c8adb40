-- Purpose: end logins of a member of staff, with their access and refresh tokens: all, all but p_kept_family_id, or only
--   p_family_id.
-- Locks: these families.
create or replace function casino.end_logins(
    p_ledger_id integer, p_staff_id text, p_family_id text default null, p_kept_family_id text default null
)
returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    update casino.staff_families set ended_at = casino.clock()
    where ledger_id = p_ledger_id and staff_id = p_staff_id and ended_at is null
        and family_id = coalesce(p_family_id, family_id) and family_id is distinct from p_kept_family_id;
$$;
