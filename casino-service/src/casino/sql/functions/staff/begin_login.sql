-- Purpose: what a login is compared with, before it is judged (casino.judge_staff): passwords are hashed outside of SQL.
-- Outcome: one row. o_wait_seconds: the address must wait that long, and nothing is compared. The rest is null for an unknown name.
--   o_step: the number of the step of 30 seconds that runs now.
create or replace function casino.begin_login(p_ledger_id integer, p_username text, p_address inet)
returns table (o_wait_seconds integer, o_staff_id text, o_password_hash text, o_otp_nonce bytea, o_step bigint)
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        casino.seconds_to_wait(p_ledger_id, p_address), staff.staff_id, secrets.password_hash, secrets.otp_nonce,
        floor(extract(epoch from casino.clock()) / 30)::bigint
    from (values (1)) as always
    left join casino.staff on staff.ledger_id = p_ledger_id and staff.username = p_username
    left join casino.staff_secrets as secrets on secrets.ledger_id = p_ledger_id and secrets.staff_id = staff.staff_id;
$$;
