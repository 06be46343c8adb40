-- Purpose: end one of one's own logins, with its access and refresh tokens. Safe to repeat.
-- Locks: the member of staff, the family.
create or replace function casino.log_out(p_ledger_id integer, p_staff_id text, p_family_id text)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_staff casino.staff := casino.hold_staff(p_ledger_id, p_staff_id);
begin
    perform casino.end_logins(p_ledger_id, v_staff.staff_id, p_family_id => p_family_id);
end;
$$;
