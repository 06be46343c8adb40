-- Purpose: use a one-time password or a recovery code, once. p_step: the step whose password was sent; p_recovery_mac: the HMAC of
--   the code that was sent.
-- Outcome: whether it was unused.
-- Locks: the secrets of the member of staff.
create or replace function casino.use_otp(p_ledger_id integer, p_staff_id text, p_step bigint, p_recovery_mac bytea)
returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    update casino.staff_secrets
    set
        otp_steps = case when p_step is null then otp_steps else array(
            select step from unnest(otp_steps) as step where step >= p_step - 2
        ) || p_step end,
        recovery_macs = array_remove(recovery_macs, p_recovery_mac)
    where ledger_id = p_ledger_id and staff_id = p_staff_id
        -- Without "is not null", no step at all would be another one than none.
        and ((p_step is not null and p_step <> all (otp_steps)) or p_recovery_mac = any (recovery_macs));
    return found;
end;
$$;
