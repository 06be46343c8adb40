-- Purpose: one's own one-time passwords: begin to enrol them (p_change is enrol, with a new nonce and the HMACs of recovery codes),
--   confirm or delete them, after casino.judge_staff found the proof right.
-- Outcome: null, or OTP_ENROLLED (they are confirmed already) or OTP_NOT_ENROLLED (nothing to confirm or delete).
-- Locks: the member of staff, its secrets.
create or replace function casino.change_otp(
    p_ledger_id integer, p_staff_id text, p_change text, p_nonce bytea default null, p_recovery_macs bytea [] default '{}'
)
returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_staff casino.staff := casino.hold_staff(p_ledger_id, p_staff_id);
    v_nonce bytea;
begin
    select otp_nonce into v_nonce from casino.staff_secrets where ledger_id = p_ledger_id and staff_id = v_staff.staff_id;
    if p_change <> 'delete' and v_staff.has_otp then
        return 'OTP_ENROLLED';
    elsif (p_change = 'delete' and v_staff.has_otp is not true) or (p_change = 'confirm' and v_nonce is null) then
        return 'OTP_NOT_ENROLLED';
    end if;
    if p_change <> 'confirm' then
        update casino.staff_secrets set otp_nonce = p_nonce, otp_steps = '{}', recovery_macs = p_recovery_macs
        where ledger_id = p_ledger_id and staff_id = v_staff.staff_id;
    end if;
    update casino.staff set has_otp = (p_change = 'confirm')
    where ledger_id = p_ledger_id and staff_id = v_staff.staff_id and has_otp <> (p_change = 'confirm');
    return null;
end;
$$;
