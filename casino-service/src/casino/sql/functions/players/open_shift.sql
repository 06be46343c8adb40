-- Purpose: open a cashier's shift with the cash that is in the drawer.
-- Outcome: o_code SHIFT_OPEN while the cashier has one, NOT_FOUND for a cashier of no tenant that the transaction sees.
-- Locks: the cashier's row (for update): it waits for what is being booked for the cashier (casino.hold_shift), and for another
--   who opens or closes.
create or replace function casino.open_shift(p_ledger_id integer, p_staff_id text, p_cash_minor bigint)
returns table (o_code text, o_shift_id uuid, o_tenant_id text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    select tenant_id into o_tenant_id
    from casino.staff
    where ledger_id = p_ledger_id and staff_id = p_staff_id and casino.sees(p_ledger_id, tenant_id)
    for update;
    if o_tenant_id is null then
        o_code := 'NOT_FOUND';
        return next;
        return;
    end if;
    insert into casino.shifts (ledger_id, tenant_id, staff_id, opened_at, cash_minor)
    values (p_ledger_id, o_tenant_id, p_staff_id, casino.clock(), p_cash_minor)
    on conflict do nothing
    returning shift_id into o_shift_id;
    o_code := case when o_shift_id is null then 'SHIFT_OPEN' end;
    return next;
end;
$$;
