-- Purpose: issue vouchers of one amount, all or none, each with an entry of its own on the agent's float.
-- Input: arrays of one length: ids, HMACs of codes and PINs, HMACs of slip tokens, sealed slips. p_expires_at null: in 30 days.
-- Outcome: o_code is null when they are issued; else INVALID_FIELD (expiresAt: from 1 second to 1 year ahead), INVALID_AGENT (no
--   AGENT that the caller sees, or not ACTIVE), TENANT_NOT_ACTIVE (one above it is not), INSUFFICIENT_AGENT_FUNDS.
-- Lock order: the caller's shift (casino.hold_shift), the float (casino.hold_wallets); the tenant is looked at under it
--   (casino.change_tenant closes it).
create or replace function casino.issue_vouchers(
    p_ledger_id integer, p_tenant_id text, p_amount_minor bigint, p_expires_at timestamptz, p_prize_wheel_enabled boolean,
    p_actor_id text, p_request_id text, p_voucher_ids text[], p_code_macs bytea[], p_pin_macs bytea[], p_slip_macs bytea[],
    p_slips bytea[], out o_code text, out o_bonus_minor bigint, out o_balance_minor bigint, out o_issued_at timestamptz,
    out o_expires_at timestamptz, out o_currency text
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c_slip_life constant interval := '15 minutes';
    v_shift_id constant uuid := casino.hold_shift(p_ledger_id, p_actor_id);
    v_tenant casino.tenants;
    v_float bigint;
    v_voucher casino.vouchers;
begin
    o_issued_at := casino.clock();
    o_expires_at := coalesce(p_expires_at, o_issued_at + interval '30 days');
    if o_expires_at not between o_issued_at + interval '1 second' and o_issued_at + interval '1 year' then
        o_code := 'INVALID_FIELD';
        return;
    elsif not casino.sees(p_ledger_id, p_tenant_id) then
        o_code := 'INVALID_AGENT';
        return;
    end if;
    v_float := casino.float_of(p_ledger_id, p_tenant_id);
    perform casino.hold_wallets(p_ledger_id, array[v_float]);
    select * into v_tenant from casino.tenants where ledger_id = p_ledger_id and tenant_id = p_tenant_id;
    select balance_minor into o_balance_minor from casino.wallets where ledger_id = p_ledger_id and wallet_id = v_float;
    o_bonus_minor := p_amount_minor * v_tenant.bonus_bp / 10000;
    o_currency := v_tenant.currency;
    o_code := case
        when v_tenant.tenant_type <> 'AGENT' or v_tenant.status <> 'ACTIVE' then 'INVALID_AGENT'
        when not v_tenant.is_open then 'TENANT_NOT_ACTIVE'
        when (p_amount_minor + o_bonus_minor) * cardinality(p_voucher_ids) > o_balance_minor then 'INSUFFICIENT_AGENT_FUNDS'
    end;
    if o_code is not null then
        return;
    end if;
    for v_voucher in
        insert into casino.vouchers (
            ledger_id, voucher_id, tenant_id, code_mac, pin_mac, amount_minor, bonus_minor, currency, prize_wheel_enabled,
            issued_at, issued_by, shift_id, expires_at
        )
        select
            p_ledger_id, voucher_id, p_tenant_id, code_mac, pin_mac, p_amount_minor, o_bonus_minor, o_currency,
            p_prize_wheel_enabled, o_issued_at, p_actor_id, v_shift_id, o_expires_at
        from unnest(p_voucher_ids, p_code_macs, p_pin_macs) as one (voucher_id, code_mac, pin_mac)
        returning *
    loop
        o_balance_minor := casino.book_float_entry(
            p_ledger_id, casino.voucher_entry(v_voucher, v_float, 'voucher_issue', p_actor_id, p_request_id), null, p_actor_id,
            v_voucher.voucher_id
        );
        perform casino.tell(p_ledger_id, p_tenant_id, 'voucher.issued', null, v_voucher.voucher_id, jsonb_build_object(
            'amountMinor', p_amount_minor, 'bonusAmountMinor', o_bonus_minor, 'currency', o_currency,
            'expiresAt', casino.wire_instant(o_expires_at)
        ));
    end loop;
    insert into casino.voucher_slips (ledger_id, voucher_id, tenant_id, token_mac, sealed, ends_at)
    select p_ledger_id, voucher_id, p_tenant_id, token_mac, sealed, o_issued_at + c_slip_life
    from unnest(p_voucher_ids, p_slip_macs, p_slips) as one (voucher_id, token_mac, sealed);
end;
$$;
