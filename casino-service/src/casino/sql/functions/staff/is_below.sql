-- Purpose: whether a role may make and change another one.
create or replace function casino.is_below(p_role text, p_maker_role text)
returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select case p_maker_role
        when 'owner' then p_role in ('distributor', 'operator', 'agent', 'cashier', 'auditor')
        when 'distributor' then p_role in ('operator', 'agent', 'cashier', 'auditor')
        when 'operator' then p_role in ('agent', 'cashier', 'auditor')
        else false
    end;
$$;
