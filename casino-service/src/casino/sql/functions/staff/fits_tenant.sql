-- Purpose: whether a tenant of this type may have staff of this role.
create or replace function casino.fits_tenant(p_role text, p_tenant_type text)
returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select case p_role
        when 'distributor' then p_tenant_type = 'DISTRIBUTOR'
        when 'operator' then p_tenant_type in ('OPERATOR', 'DEV')
        when 'agent' then p_tenant_type = 'AGENT'
        when 'cashier' then p_tenant_type = 'AGENT'
        else p_role = 'auditor'
    end;
$$;
