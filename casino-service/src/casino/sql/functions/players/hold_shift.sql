-- Purpose: the shift that a member of staff has open, for what is booked for that person in this database transaction.
-- Outcome: its id; null if none is open. Until the transaction ends the shift is not closed, and none is opened: nothing that is
--   booked after this belongs to another shift. So the caller reads the clock after this.
-- Locks: the row of the member of staff (key share), which opening and closing a shift take for update: also that there is no
--   shift must stay so. Many book at once, and logins and changes of staff do not wait.
-- Lock order: a voucher's row, then this, then wallets (casino.hold_wallets): who waits for a closing keeps no bet waiting.
create or replace function casino.hold_shift(p_ledger_id integer, p_staff_id text)
returns uuid
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    perform from casino.staff where ledger_id = p_ledger_id and staff_id = p_staff_id for key share;
    return (
        select shift_id from casino.shifts where ledger_id = p_ledger_id and staff_id = p_staff_id and closed_at is null
    );
end;
$$;
