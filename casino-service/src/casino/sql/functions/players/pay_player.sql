-- Purpose: staff moves a player's money: a deposit or withdrawal between the agent's float and the player, an adjustment (signed)
--   against house_adjustments, or a cash-out of the whole balance, which closes the account.
-- Outcome: o_code says why not: NOT_FOUND, the codes of casino.payment_refusal and casino.book_payment. o_approval_id: the amount
--   waits for approval, nothing was moved; a cash-out that waits blocks bets, and is asked for once. Else o_payment_id.
-- Compared with the threshold is the amount plus that of the player's payments of this kind in the last 24 hours.
-- Lock order: the caller's shift (casino.hold_shift), then casino.hold_player, with the float: two payments of a player follow each
--   other.
create or replace function casino.pay_player(
    p_ledger_id integer, p_player_id text, p_kind text, p_amount_minor bigint, p_reason text, p_request_id text,
    p_staff_id text
)
returns table (
    o_code text, o_approval_id text, o_payment_id uuid, o_amount_minor bigint, o_balance_minor bigint,
    o_agent_balance_minor bigint, o_forfeited_minor bigint, o_tenant_id text
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_shift_id constant uuid := casino.hold_shift(p_ledger_id, p_staff_id);
    v_held record := casino.hold_player(p_ledger_id, p_player_id, true);
    v_player constant casino.players := v_held.o_player;
    v_wallet constant casino.wallets := v_held.o_wallet;
    v_now constant timestamptz := casino.clock();
begin
    o_tenant_id := v_player.tenant_id;
    o_amount_minor := case p_kind when 'CASHOUT' then v_wallet.balance_minor else p_amount_minor end;
    o_code := case
        when v_player.player_id is null then 'NOT_FOUND'
        else casino.payment_refusal(p_ledger_id, v_player, v_wallet, p_kind, o_amount_minor)
    end;
    if o_code is null and p_kind <> 'DEPOSIT' and abs(o_amount_minor)
        + casino.paid_since(p_ledger_id, v_wallet.wallet_id, p_kind, v_now - interval '24 hours')
        > casino.approval_threshold(p_ledger_id, v_player.tenant_id)
    then
        select approval_id into o_approval_id
        from casino.approvals
        where ledger_id = p_ledger_id and wallet_id = v_wallet.wallet_id and kind = p_kind and kind = 'CASHOUT'
            and status = 'PENDING';
        if o_approval_id is null then
            insert into casino.approvals (
                ledger_id, tenant_id, player_id, wallet_id, kind, amount_minor, reason, requested_by, requested_at
            )
            values (
                p_ledger_id, v_player.tenant_id, p_player_id, v_wallet.wallet_id, p_kind, o_amount_minor, p_reason,
                p_staff_id, v_now
            )
            returning approval_id into o_approval_id;
            if p_kind in ('WITHDRAW', 'CASHOUT') then
                perform casino.tell(
                    p_ledger_id, v_player.tenant_id, 'withdrawal.requested', p_player_id, null, jsonb_build_object(
                        'approvalId', o_approval_id, 'kind', p_kind, 'amountMinor', o_amount_minor,
                        'currency', v_wallet.currency
                    )
                );
            end if;
        end if;
        perform casino.settle_block(p_ledger_id, v_wallet.wallet_id);
    elsif o_code is null then
        select booked.o_code, booked.o_payment_id, booked.o_forfeited_minor
        into o_code, o_payment_id, o_forfeited_minor
        from casino.book_payment(
            p_ledger_id, v_player, v_wallet, v_held.o_float_id, p_kind, o_amount_minor, p_reason, p_request_id, p_staff_id,
            v_shift_id, null
        ) as booked;
    end if;
    select balance_minor into o_balance_minor
    from casino.wallets where ledger_id = p_ledger_id and wallet_id = v_wallet.wallet_id;
    select balance_minor into o_agent_balance_minor
    from casino.wallets where ledger_id = p_ledger_id and wallet_id = v_held.o_float_id;
    return next;
end;
$$;
