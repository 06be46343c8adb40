-- Purpose: write into the audit trail what a member of staff did to the own account, or what was refused (p_code). A p_staff_id of
--   null is a login of no known name, which belongs to no tenant.
-- Locks: those of casino.note_audit.
create or replace function casino.note_staff(
    p_ledger_id integer, p_staff_id text, p_action text, p_code text, p_request_id text, p_address inet
)
returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select casino.note_audit(
        p_ledger_id, staff.tenant_id, case when staff.staff_id is null then 'anyone' else 'staff' end, staff.staff_id,
        staff.username, p_action, staff.staff_id, case when p_code is null then 'DONE' else 'REFUSED' end, null,
        case when p_code is not null then jsonb_build_object('code', p_code) end, p_request_id, p_address
    )
    from (values (1)) as always
    left join casino.staff on staff.ledger_id = p_ledger_id and staff.staff_id = p_staff_id;
$$;
