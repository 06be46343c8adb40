-- Purpose: count a try to redeem a voucher, and judge it. The caller commits it whatever it says, then redeems.
-- Input: HMACs of the code, and of code and PIN; the address that the call comes from.
-- Outcome: o_code is null if the voucher may be redeemed; else RATE_LIMITED with o_wait_seconds (20 tries a minute of an address, of
--   IPv6 a /64), INVALID_OR_USED_VOUCHER: unknown, a wrong PIN, or locked, or OVER: used, void or expired, with the right PIN, which
--   may have a kept answer. 5 wrong PINs lock a code for 15 minutes. A code that is unknown is counted as a known one is: every refusal does the same work.
-- Lock order: the address, then the code.
create or replace function casino.try_voucher(
    p_ledger_id integer, p_code_mac bytea, p_pin_mac bytea, p_address inet, out o_code text, out o_wait_seconds integer
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c_tries_max constant integer := 20;
    c_wrong_pins_max constant integer := 5;
    c_window constant interval := '1 minute';
    c_lock constant interval := '15 minutes';
    c_forget constant interval := '1 day';
    c_network constant bytea := convert_to('from:' || coalesce(case family(p_address)
        when 6 then network(set_masklen(p_address, 64)) else network(p_address)
    end::text, ''), 'UTF8');
    v_now timestamptz;
    v_tried_at timestamptz[];
    v_tries casino.redeem_tries;
    v_voucher casino.vouchers;
    v_is_locked boolean;
    v_is_wrong boolean;
begin
    insert into casino.redeem_tries as known (ledger_id, counted, forget_at)
    values (p_ledger_id, c_network, casino.clock() + c_window)
    on conflict (ledger_id, counted) do update set forget_at = excluded.forget_at
    returning tried_at into v_tried_at;
    v_now := casino.clock();
    v_tried_at := array(select at from unnest(v_tried_at) as at where at > v_now - c_window order by at);
    if cardinality(v_tried_at) >= c_tries_max then
        o_code := 'RATE_LIMITED';
        o_wait_seconds := greatest(1, ceil(extract(epoch from v_tried_at[1] + c_window - v_now)));
        return;
    end if;
    update casino.redeem_tries set tried_at = v_tried_at || v_now
    where ledger_id = p_ledger_id and counted = c_network;

    insert into casino.redeem_tries as known (ledger_id, counted, forget_at)
    values (p_ledger_id, p_code_mac, casino.clock() + c_forget)
    on conflict (ledger_id, counted) do update set forget_at = excluded.forget_at
    returning * into v_tries;
    select * into v_voucher from casino.vouchers where ledger_id = p_ledger_id and code_mac = p_code_mac;
    v_now := casino.clock();
    v_is_locked := coalesce(v_tries.locked_until > v_now, false);
    v_is_wrong := not v_is_locked and v_voucher.pin_mac is distinct from p_pin_mac;
    if v_is_wrong then
        v_tries.wrong_pins := v_tries.wrong_pins + 1;
        if v_tries.wrong_pins >= c_wrong_pins_max then
            v_tries.wrong_pins := 0;
            v_tries.locked_until := v_now + c_lock;
        end if;
    end if;
    update casino.redeem_tries
    set
        wrong_pins = v_tries.wrong_pins, locked_until = v_tries.locked_until,
        forget_at = greatest(v_now + c_forget, v_voucher.expires_at)
    where ledger_id = p_ledger_id and counted = p_code_mac;
    o_code := case
        when v_is_locked or v_is_wrong then 'INVALID_OR_USED_VOUCHER'
        when v_voucher.status <> 'NEW' or v_voucher.expires_at <= v_now then 'OVER'
    end;
end;
$$;
