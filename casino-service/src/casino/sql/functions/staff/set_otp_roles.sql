-- Purpose: set the roles that must have one-time passwords. Only an owner's login may.
-- Outcome: whether it was done.
create or replace function casino.set_otp_roles(p_ledger_id integer, p_roles text [])
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if not casino.has_oversight() then
        return false;
    end if;
    delete from casino.otp_roles where ledger_id = p_ledger_id and role <> all (p_roles);
    insert into casino.otp_roles (ledger_id, role)
    select p_ledger_id, unnest(p_roles)
    on conflict do nothing;
    return true;
end;
$$;
