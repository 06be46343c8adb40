-- Purpose: change the role, the password or the state of a member of staff below the maker. A null leaves it as it is.
-- Outcome: o_code: null, NOT_FOUND (the transaction does not see it), FORBIDDEN (oneself, or not below the maker), INVALID_FIELD with
--   o_field (the role does not fit the tenant's type). Deactivating and a new password end all logins.
-- Locks: the maker and the member of staff, by id, so that two who change each other wait for each other in turn; then the latter's
--   secrets and families.
create or replace function casino.change_staff(
    p_ledger_id integer, p_maker_id text, p_staff_id text, p_role text, p_is_active boolean, p_password_hash text
)
returns table (o_code text, o_field text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_maker casino.staff;
    v_staff casino.staff;
    v_fits boolean;
begin
    perform from casino.staff
    where ledger_id = p_ledger_id and staff_id in (p_maker_id, p_staff_id)
    order by staff_id
    for no key update;
    select * into v_maker from casino.staff where ledger_id = p_ledger_id and staff_id = p_maker_id and is_active;
    v_staff := casino.hold_staff(p_ledger_id, p_staff_id);
    select casino.fits_tenant(coalesce(p_role, v_staff.role), tenant_type) into v_fits
    from casino.tenants
    where ledger_id = p_ledger_id and tenant_id = v_staff.tenant_id;
    o_code := case
        when v_staff.staff_id is null then 'NOT_FOUND'
        when p_staff_id = p_maker_id or casino.is_below(v_staff.role, v_maker.role) is not true
            or casino.is_below(coalesce(p_role, v_staff.role), v_maker.role) is not true then 'FORBIDDEN'
        when p_role is not null and not v_fits then 'INVALID_FIELD'
    end;
    o_field := case when o_code = 'INVALID_FIELD' then 'role' end;
    if o_code is null then
        update casino.staff set role = coalesce(p_role, role), is_active = coalesce(p_is_active, is_active)
        where ledger_id = p_ledger_id and staff_id = p_staff_id;
        update casino.staff_secrets set password_hash = p_password_hash
        where ledger_id = p_ledger_id and staff_id = p_staff_id and p_password_hash is not null;
        if p_password_hash is not null or p_is_active is false then
            perform casino.end_logins(p_ledger_id, p_staff_id);
        end if;
    end if;
    return next;
end;
$$;
