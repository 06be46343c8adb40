-- Purpose: add a member of staff. The caller has decided that it may be.
-- Outcome: the id; null: the name is taken.
create or replace function casino.add_staff(
    p_ledger_id integer, p_made_by text, p_username text, p_password_hash text, p_role text, p_tenant_id text
)
returns text
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_staff_id text;
begin
    insert into casino.staff (ledger_id, tenant_id, username, role, made_by, made_at)
    values (p_ledger_id, p_tenant_id, p_username, p_role, p_made_by, casino.clock())
    on conflict (ledger_id, username) do nothing
    returning staff_id into v_staff_id;
    if v_staff_id is not null then
        insert into casino.staff_secrets (ledger_id, staff_id, password_hash) values (p_ledger_id, v_staff_id, p_password_hash);
    end if;
    return v_staff_id;
end;
$$;
