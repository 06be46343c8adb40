-- Purpose: give amount and bonus of a NEW voucher back to the agent's float: it is void or expired from now on.
-- Input: a voucher whose row the caller has locked; p_status VOID or EXPIRED; p_actor_id null: nobody.
-- Lock order: the voucher's row, to make it void the shift of who issued it (casino.hold_shift), then the float
--   (casino.hold_wallets).
create or replace function casino.end_voucher(p_voucher casino.vouchers, p_status text, p_actor_id text, p_request_id text)
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_shift_id constant uuid := case p_status when 'VOID' then casino.hold_shift(p_voucher.ledger_id, p_voucher.issued_by) end;
    c_float constant bigint := casino.float_of(p_voucher.ledger_id, p_voucher.tenant_id);
    c_kind constant text := case p_status when 'VOID' then 'voucher_void' else 'voucher_expire' end;
begin
    perform casino.hold_wallets(p_voucher.ledger_id, array[c_float]);
    perform casino.book_float_entry(
        p_voucher.ledger_id, casino.voucher_entry(p_voucher, c_float, c_kind, p_actor_id, p_request_id), null, p_actor_id,
        p_voucher.voucher_id
    );
    update casino.vouchers
    set status = p_status, ended_at = casino.clock(), ended_by = p_actor_id, ended_shift_id = v_shift_id
    where ledger_id = p_voucher.ledger_id and voucher_id = p_voucher.voucher_id;
    delete from casino.voucher_slips where ledger_id = p_voucher.ledger_id and voucher_id = p_voucher.voucher_id;
end;
$$;
