-- Purpose: change one's own password, after casino.judge_staff found the present one right. Ends all other logins.
-- Outcome: whether it was changed: not if the password was changed meanwhile.
-- Locks: the member of staff, its secrets and families.
create or replace function casino.change_password(
    p_ledger_id integer, p_staff_id text, p_family_id text, p_verified_hash text, p_password_hash text
)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_staff casino.staff := casino.hold_staff(p_ledger_id, p_staff_id);
begin
    update casino.staff_secrets set password_hash = p_password_hash
    where ledger_id = p_ledger_id and staff_id = v_staff.staff_id and password_hash = p_verified_hash;
    if not found then
        return false;
    end if;
    perform casino.end_logins(p_ledger_id, p_staff_id, p_kept_family_id => p_family_id);
    return true;
end;
$$;
