-- Purpose: judge what a member of staff proves with, count it, write a refusal into the audit trail, and begin a family of refresh
--   tokens at a good login.
-- Input: p_action is staff.login, staff.password, staff.otp.confirm or staff.otp.delete; a password is asked for by all but confirm, a
--   one-time password by both of otp, and at a login of who has them. p_verified_hash is the stored hash that the password was found
--   to fit, or null. p_otp_sent: a one-time password came; p_step and p_recovery_mac: what it was found to be (casino.use_otp).
--   p_tenant_id is null if no tenant was named.
-- Outcome: o_code: null, RATE_LIMITED (with o_wait_seconds), LOCKED (with both), INVALID_CREDENTIALS, OTP_REQUIRED. The
--   caller commits in each case. A locked name is refused whatever password came.
-- Locks: casino.hold_login, the member of staff (shared), the secrets, at last the audit trail.
create or replace function casino.judge_staff(
    p_ledger_id integer, p_action text, p_username text, p_verified_hash text, p_tenant_id text, p_otp_sent boolean,
    p_step bigint, p_recovery_mac bytea, p_request_id text, p_address inet
)
returns table (
    o_code text, o_locked_until timestamptz, o_wait_seconds integer, o_staff_id text, o_family_id text, o_tenant_id text,
    o_username text, o_role text, o_has_otp boolean
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_staff casino.staff;
    v_is_right boolean;
    v_asks_otp boolean;
begin
    o_wait_seconds := casino.seconds_to_wait(p_ledger_id, p_address);
    if o_wait_seconds = 0 then -- an address that has to wait makes nobody wait for it
        select held.o_wait_seconds, held.o_locked_until into o_wait_seconds, o_locked_until
        from casino.hold_login(p_ledger_id, 'staff', p_username, p_address) as held;
    end if;
    select * into v_staff from casino.staff where ledger_id = p_ledger_id and username = p_username for share;
    v_asks_otp := p_action in ('staff.otp.confirm', 'staff.otp.delete') or (p_action = 'staff.login' and v_staff.has_otp);
    v_is_right := v_staff.is_active and v_staff.tenant_id is not distinct from coalesce(p_tenant_id, v_staff.tenant_id)
        and (p_action = 'staff.otp.confirm' or exists (
            select from casino.staff_secrets
            where ledger_id = p_ledger_id and staff_id = v_staff.staff_id and password_hash = p_verified_hash
        ));
    o_code := case
        when o_wait_seconds > 0 then 'RATE_LIMITED'
        when o_locked_until is not null then 'LOCKED'
        when v_is_right is not true then 'INVALID_CREDENTIALS'
        when v_asks_otp and not p_otp_sent then 'OTP_REQUIRED'
        when v_asks_otp and not casino.use_otp(p_ledger_id, v_staff.staff_id, p_step, p_recovery_mac) then 'INVALID_CREDENTIALS'
    end;
    if o_code = 'LOCKED' then
        o_wait_seconds := ceil(extract(epoch from o_locked_until - casino.clock()));
    end if;
    o_staff_id := v_staff.staff_id;
    if o_code in ('LOCKED', 'INVALID_CREDENTIALS') then
        perform casino.count_refusal(p_ledger_id, 'staff', p_username, p_address);
    elsif o_code is null then
        perform casino.forgive_name(p_ledger_id, 'staff', p_username);
    end if;
    if o_code is null and p_action = 'staff.login' then
        insert into casino.staff_families (ledger_id, staff_id, births, ends_at)
        values (p_ledger_id, o_staff_id, array[casino.clock()], casino.clock() + interval '30 days')
        returning family_id into o_family_id;
    end if;
    if o_code is not null or p_action = 'staff.login' then
        perform casino.note_staff(p_ledger_id, o_staff_id, p_action, o_code, p_request_id, p_address);
    end if;
    o_tenant_id := v_staff.tenant_id;
    o_username := v_staff.username;
    o_role := v_staff.role;
    o_has_otp := v_staff.has_otp;
    return next;
end;
$$;
