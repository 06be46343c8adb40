-- Purpose: make a NEW voucher void; its money goes back to the agent's float.
-- Outcome: null when it is void; else NOT_FOUND, VOUCHER_NOT_NEW (also from its expiry on, before the loop expires it).
-- Lock order: casino.end_voucher.
create or replace function casino.void_voucher(p_ledger_id integer, p_voucher_id text, p_actor_id text, p_request_id text)
returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_voucher casino.vouchers;
begin
    select * into v_voucher from casino.vouchers
    where ledger_id = p_ledger_id and voucher_id = p_voucher_id and casino.sees(ledger_id, tenant_id)
    for no key update;
    if v_voucher.voucher_id is null then
        return 'NOT_FOUND';
    elsif v_voucher.status <> 'NEW' or v_voucher.expires_at <= casino.clock() then
        return 'VOUCHER_NOT_NEW';
    end if;
    perform casino.end_voucher(v_voucher, 'VOID', p_actor_id, p_request_id);
    return null;
end;
$$;
