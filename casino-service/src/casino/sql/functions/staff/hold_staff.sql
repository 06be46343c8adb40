-- Purpose: a member of staff for a change.
-- Outcome: nulls if the ledger has nobody with this id whom the transaction sees.
-- Locks: the member of staff.
create or replace function casino.hold_staff(p_ledger_id integer, p_staff_id text)
returns casino.staff
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_staff casino.staff;
begin
    select * into v_staff from casino.staff where ledger_id = p_ledger_id and staff_id = p_staff_id for no key update;
    if not casino.sees_staff(p_ledger_id, v_staff.tenant_id) then
        return null;
    end if;
    return v_staff;
end;
$$;
