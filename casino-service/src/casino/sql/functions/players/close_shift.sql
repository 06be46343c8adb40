-- Purpose: close a cashier's open shift: count what was booked in it.
-- Outcome: the shift; no row if none is open. Issued and deposited money came into the drawer, the rest went out of it. Voided and
--   redeemed are vouchers that the cashier issued, in this shift or before, whoever made them void. A voucher that was issued in no
--   shift brought nothing into a drawer: made void it takes nothing out.
-- Locks: the cashier's row (for update): it waits for what is being booked for the cashier (casino.hold_shift), then counts all of
--   it. No wallets: who books takes the cashier's row before them.
create or replace function casino.close_shift(p_ledger_id integer, p_staff_id text, p_counted_minor bigint)
returns setof casino.shifts
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_shift casino.shifts;
begin
    perform from casino.staff where ledger_id = p_ledger_id and staff_id = p_staff_id for update;
    select * into v_shift
    from casino.shifts
    where ledger_id = p_ledger_id and staff_id = p_staff_id and closed_at is null and casino.sees(p_ledger_id, tenant_id);
    if not found then
        return;
    end if;
    select coalesce(sum(amount_minor), 0) into v_shift.issued_minor
    from casino.vouchers
    where ledger_id = p_ledger_id and shift_id = v_shift.shift_id;
    select
        coalesce(sum(amount_minor) filter (where status = 'VOID' and shift_id is not null), 0),
        coalesce(sum(amount_minor) filter (where status = 'USED'), 0)
    into v_shift.voided_minor, v_shift.redeemed_minor
    from casino.vouchers
    where ledger_id = p_ledger_id and ended_shift_id = v_shift.shift_id;
    select
        coalesce(sum(amount_minor) filter (where kind = 'DEPOSIT'), 0),
        coalesce(sum(amount_minor) filter (where kind = 'WITHDRAW'), 0),
        coalesce(sum(amount_minor) filter (where kind = 'CASHOUT'), 0)
    into v_shift.deposited_minor, v_shift.withdrawn_minor, v_shift.cashed_out_minor
    from casino.player_payments
    where ledger_id = p_ledger_id and shift_id = v_shift.shift_id;
    return query
    update casino.shifts
    set
        closed_at = casino.clock(), counted_minor = p_counted_minor, issued_minor = v_shift.issued_minor,
        voided_minor = v_shift.voided_minor, redeemed_minor = v_shift.redeemed_minor,
        deposited_minor = v_shift.deposited_minor, withdrawn_minor = v_shift.withdrawn_minor,
        cashed_out_minor = v_shift.cashed_out_minor
    where ledger_id = p_ledger_id and shift_id = v_shift.shift_id
    returning *;
end;
$$;
