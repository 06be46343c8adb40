-- Purpose: make a member of staff below the maker, in a tenant that the transaction sees.
-- Outcome: o_code: null, FORBIDDEN (the role is not below the maker's), NOT_FOUND (the tenant), INVALID_FIELD with o_field (the role
--   does not fit the tenant's type), USERNAME_TAKEN.
-- Locks: the maker (shared).
create or replace function casino.create_staff(
    p_ledger_id integer, p_maker_id text, p_username text, p_password_hash text, p_role text, p_tenant_id text
)
returns table (o_code text, o_field text, o_staff_id text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_maker casino.staff;
    v_tenant_type text;
begin
    select * into v_maker from casino.staff where ledger_id = p_ledger_id and staff_id = p_maker_id and is_active for share;
    select tenant_type into v_tenant_type
    from casino.tenants
    where ledger_id = p_ledger_id and tenant_id = p_tenant_id and casino.sees(p_ledger_id, tenant_id);
    o_code := case
        when casino.is_below(p_role, v_maker.role) is not true then 'FORBIDDEN'
        when v_tenant_type is null then 'NOT_FOUND'
        when not casino.fits_tenant(p_role, v_tenant_type) then 'INVALID_FIELD'
    end;
    o_field := case when o_code = 'INVALID_FIELD' then 'tenantId' end;
    if o_code is null then
        o_staff_id := casino.add_staff(p_ledger_id, p_maker_id, p_username, p_password_hash, p_role, p_tenant_id);
        o_code := case when o_staff_id is null then 'USERNAME_TAKEN' end;
    end if;
    return next;
end;
$$;
