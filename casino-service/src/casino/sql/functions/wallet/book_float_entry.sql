-- Purpose: book one entry of a tenant's float that the caller holds, and write it down for the tenant's statement.
-- Outcome: the float's balance afterwards.
create or replace function casino.book_float_entry(
    p_ledger_id integer, p_entry casino.entry, p_counterparty text, p_actor_id text, p_reference text
)
returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_booked casino.booked_entry;
begin
    v_booked := (casino.book_entries(p_ledger_id, array[p_entry], casino.clock()))[1];
    perform casino.note_float_entry(
        p_ledger_id, p_entry.wallet_id, p_entry.transaction_id, p_counterparty, p_actor_id, p_reference
    );
    return v_booked.balance_after_minor;
end;
$$;
