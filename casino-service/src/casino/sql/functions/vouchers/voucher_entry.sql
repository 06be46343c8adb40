-- Purpose: the entry that moves a voucher's money, for casino.book_entries: of the kinds voucher_issue, voucher_void and
--   voucher_expire amount and bonus, on the agent's float; of voucher_redeem the amount, on the player's wallet.
-- Its id is of the kind and the voucher, so that nothing of a voucher is booked twice.
create or replace function casino.voucher_entry(
    p_voucher casino.vouchers, p_wallet_id bigint, p_kind text, p_cashier_id text, p_request_id text
)
returns casino.entry
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    c_bonus_minor constant bigint := case p_kind when 'voucher_redeem' then 0 else p_voucher.bonus_minor end;
    v_entry casino.entry := casino.house_entry(
        p_wallet_id, p_kind, '§' || p_kind || ':' || p_voucher.voucher_id, p_voucher.amount_minor + c_bonus_minor,
        p_voucher.currency, null, p_request_id
    );
    v_direction constant bigint := sign(v_entry.delta_minor);
begin
    if c_bonus_minor > 0 then
        v_entry.house_accounts := array['voucher_liability', 'bonus_liability'];
        v_entry.house_minor := array[- v_direction * p_voucher.amount_minor, - v_direction * c_bonus_minor];
    end if;
    v_entry.agent_id := p_voucher.tenant_id;
    v_entry.cashier_id := p_cashier_id;
    return v_entry;
end;
$$;
