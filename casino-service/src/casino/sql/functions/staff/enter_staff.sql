-- Purpose: who the holder of an access token is: p_staff_id in the login p_family_id.
-- Outcome: no row if there is no such login, if it has ended, or if the member of staff is deactivated. o_needs_otp: the role must
--   have one-time passwords, and they are not enrolled.
create or replace function casino.enter_staff(p_ledger_id integer, p_staff_id text, p_family_id text)
returns table (o_tenant_id text, o_role text, o_username text, o_needs_otp boolean)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        staff.tenant_id, staff.role, staff.username,
        not staff.has_otp and exists (
            select from casino.otp_roles where ledger_id = p_ledger_id and role = staff.role
        )
    from casino.staff_families as family
    join casino.staff on staff.ledger_id = family.ledger_id and staff.staff_id = family.staff_id
    where family.ledger_id = p_ledger_id and family.family_id = p_family_id and family.staff_id = p_staff_id
        and family.ended_at is null and family.ends_at > casino.clock() and staff.is_active;
$$;
