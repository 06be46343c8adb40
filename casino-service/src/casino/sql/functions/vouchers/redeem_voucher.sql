-- Purpose: redeem a voucher that casino.try_voucher found good: a new player with its amount, a bonus to come, a play session.
-- Input: HMACs of code and PIN as there; the new player's id, and the HMACs of login code and PIN.
-- Outcome: o_code is null when it is redeemed; else INVALID_OR_USED_VOUCHER (somebody was faster, or its time is over), or
--   TENANT_NOT_ACTIVE (the agent or one above is suspended), which only who knows the PIN is told.
-- Lock order: the voucher's row, the shift of who issued it (casino.hold_shift), then the new wallet. No two of
--   redeem, void and expiry get past the row with a NEW voucher.
create or replace function casino.redeem_voucher(
    p_ledger_id integer, p_code_mac bytea, p_pin_mac bytea, p_player_id text, p_login_code_mac bytea, p_player_pin_mac bytea,
    p_request_id text, out o_code text, out o_voucher_id text, out o_tenant_id text, out o_balance_minor bigint,
    out o_bonus_minor bigint, out o_prize_wheel_enabled boolean
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_voucher casino.vouchers;
    v_shift_id uuid;
    v_wallet_id bigint;
begin
    select * into v_voucher from casino.vouchers
    where ledger_id = p_ledger_id and code_mac = p_code_mac and pin_mac = p_pin_mac
    for no key update;
    if v_voucher.status is distinct from 'NEW' or v_voucher.expires_at <= casino.clock() then
        o_code := 'INVALID_OR_USED_VOUCHER';
        return;
    end if;
    if not (select is_open from casino.tenants where ledger_id = p_ledger_id and tenant_id = v_voucher.tenant_id) then
        o_code := 'TENANT_NOT_ACTIVE';
        return;
    end if;
    v_shift_id := casino.hold_shift(p_ledger_id, v_voucher.issued_by);
    o_voucher_id := v_voucher.voucher_id;
    o_tenant_id := v_voucher.tenant_id;
    o_balance_minor := v_voucher.amount_minor;
    o_bonus_minor := v_voucher.bonus_minor;
    o_prize_wheel_enabled := v_voucher.prize_wheel_enabled;
    v_wallet_id := casino.create_player(
        p_ledger_id, v_voucher.tenant_id, p_player_id, p_login_code_mac, p_player_pin_mac, v_voucher.voucher_id,
        v_voucher.tenant_id, v_voucher.issued_by, v_voucher.currency
    );
    perform casino.hold_wallets(p_ledger_id, array[v_wallet_id]);
    perform casino.book_entries(p_ledger_id, array[
        casino.voucher_entry(v_voucher, v_wallet_id, 'voucher_redeem', v_voucher.issued_by, p_request_id)
    ], casino.clock());
    if v_voucher.bonus_minor > 0 then
        perform casino.promise_bonus(
            p_ledger_id, v_wallet_id, v_voucher.bonus_minor, v_voucher.voucher_id, v_voucher.tenant_id
        );
    end if;
    perform casino.tell_login(p_ledger_id, p_player_id, casino.begin_play_session(p_ledger_id, p_player_id));
    update casino.vouchers
    set status = 'USED', ended_at = casino.clock(), player_id = p_player_id, ended_shift_id = v_shift_id
    where ledger_id = p_ledger_id and voucher_id = v_voucher.voucher_id;
    delete from casino.voucher_slips where ledger_id = p_ledger_id and voucher_id = v_voucher.voucher_id;
    perform casino.tell(
        p_ledger_id, v_voucher.tenant_id, 'voucher.redeemed', p_player_id, v_voucher.voucher_id, jsonb_build_object(
            'amountMinor', v_voucher.amount_minor, 'bonusAmountMinor', v_voucher.bonus_minor, 'currency', v_voucher.currency
        )
    );
end;
$$;
