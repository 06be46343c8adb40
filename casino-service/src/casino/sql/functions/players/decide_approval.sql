-- Purpose: approve or reject a payment that waits. Approving books it, judged anew: a cash-out pays the balance of this moment.
-- Input: p_staff_id, who decides. An API key is its maker.
-- Outcome: o_code NOT_FOUND; SELF_APPROVAL for who asked and for staff whom that person made; ALREADY_DECIDED; or why it cannot be
--   booked now: then it waits on. Once, whoever races.
--   The payment counts in the shift that who asked has open now.
-- Lock order: that shift (casino.hold_shift), casino.hold_player with the float, the approval.
create or replace function casino.decide_approval(
    p_ledger_id integer, p_approval_id text, p_approves boolean, p_staff_id text, p_request_id text
)
returns table (o_code text, o_tenant_id text, o_player_id text, o_kind text, o_amount_minor bigint)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_approval casino.approvals;
    v_shift_id uuid;
    v_held record;
begin
    select * into v_approval from casino.approvals where ledger_id = p_ledger_id and approval_id = p_approval_id;
    v_shift_id := casino.hold_shift(p_ledger_id, v_approval.requested_by);
    v_held := casino.hold_player(p_ledger_id, v_approval.player_id, true);
    select * into v_approval
    from casino.approvals
    where ledger_id = p_ledger_id and approval_id = p_approval_id
    for no key update;
    o_tenant_id := v_approval.tenant_id;
    o_player_id := v_approval.player_id;
    o_kind := v_approval.kind;
    o_amount_minor := case
        when o_kind = 'CASHOUT' and p_approves then (v_held.o_wallet).balance_minor else v_approval.amount_minor
    end;
    o_code := case
        when (v_held.o_player).player_id is null then 'NOT_FOUND'
        when v_approval.requested_by = p_staff_id or exists (
            select from casino.staff
            where ledger_id = p_ledger_id and staff_id = p_staff_id and made_by = v_approval.requested_by
        ) then 'SELF_APPROVAL'
        when v_approval.status <> 'PENDING' then 'ALREADY_DECIDED'
        when p_approves
            then casino.payment_refusal(p_ledger_id, v_held.o_player, v_held.o_wallet, o_kind, o_amount_minor)
    end;
    if o_code is null and p_approves then
        select booked.o_code into o_code
        from casino.book_payment(
            p_ledger_id, v_held.o_player, v_held.o_wallet, v_held.o_float_id, o_kind, o_amount_minor, v_approval.reason,
            p_request_id, v_approval.requested_by, v_shift_id, p_approval_id
        ) as booked;
    end if;
    if o_code is null then
        update casino.approvals
        set
            status = case when p_approves then 'APPROVED' else 'REJECTED' end, decided_by = p_staff_id,
            decided_at = casino.clock(), amount_minor = o_amount_minor
        where ledger_id = p_ledger_id and approval_id = p_approval_id;
        perform casino.settle_block(p_ledger_id, v_approval.wallet_id);
    end if;
    return next;
end;
$$;
