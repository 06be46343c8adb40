-- Purpose: book a payment that was judged and, if it had to be, approved. A cash-out also forfeits a pending bonus and closes the
--   account.
-- Input: p_player and p_wallet are of casino.hold_player with the float; p_staff_id, who asked for it; p_shift_id, that person's
--   casino.hold_shift; p_approval_id, the approval that let it through, or null.
-- Outcome: o_code INSUFFICIENT_AGENT_FUNDS or BALANCE_TOO_HIGH, else null.
-- Locks: the caller holds the shift, the player, the wallet and the float.
create or replace function casino.book_payment(
    p_ledger_id integer, p_player casino.players, p_wallet casino.wallets, p_float_id bigint, p_kind text,
    p_amount_minor bigint, p_reason text, p_request_id text, p_staff_id text, p_shift_id uuid,
    p_approval_id text, out o_code text, out o_payment_id uuid, out o_forfeited_minor bigint
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_gives constant boolean := p_kind = 'DEPOSIT' or (p_kind = 'ADJUST' and p_amount_minor > 0);
    v_stem constant text := case p_kind when 'ADJUST' then 'adjustment' else lower(p_kind) end;
    v_agent_id constant text := coalesce((p_player).agent_id, (p_player).tenant_id);
    v_code text;
begin
    o_payment_id := gen_random_uuid();
    if p_kind = 'ADJUST' then
        select moved.o_code into v_code
        from casino.move_house_money(
            p_ledger_id, v_stem || case when v_gives then '_in' else '_out' end, (p_wallet).wallet_id, o_payment_id::text,
            abs(p_amount_minor), p_reason, p_request_id
        ) as moved;
    elsif p_amount_minor > 0 then
        select moved.o_code into v_code
        from casino.transfer(
            p_ledger_id, case when v_gives then p_float_id else (p_wallet).wallet_id end,
            case when v_gives then (p_wallet).wallet_id else p_float_id end, o_payment_id::text, p_amount_minor,
            v_stem || '_out', v_stem || '_in', p_reason, p_request_id, p_staff_id, v_agent_id, p_staff_id
        ) as moved;
    end if;
    o_code := case v_code
        when 'insufficient_balance' then case when v_gives then 'INSUFFICIENT_AGENT_FUNDS' else 'INSUFFICIENT_FUNDS' end
        when 'balance_too_high' then 'BALANCE_TOO_HIGH'
        else upper(v_code)
    end;
    if o_code is not null then
        return;
    end if;
    insert into casino.player_payments (
        ledger_id, payment_id, tenant_id, player_id, wallet_id, kind, amount_minor, staff_id, shift_id, at
    )
    values (
        p_ledger_id, o_payment_id, (p_player).tenant_id, (p_player).player_id, (p_wallet).wallet_id, p_kind, p_amount_minor,
        p_staff_id, p_shift_id, casino.clock()
    );
    if p_kind in ('WITHDRAW', 'CASHOUT') then
        perform casino.tell(
            p_ledger_id, (p_player).tenant_id, 'withdrawal.paid', (p_player).player_id, null, jsonb_build_object(
                'paymentId', o_payment_id, 'approvalId', p_approval_id, 'kind', p_kind, 'amountMinor', p_amount_minor, 'currency', (p_wallet).currency
            )
        );
    end if;
    if p_kind = 'CASHOUT' then
        o_forfeited_minor := casino.forfeit_bonus(p_ledger_id, (p_wallet).wallet_id, p_reason, p_request_id);
        perform casino.end_player(p_ledger_id, p_player);
    end if;
end;
$$;
