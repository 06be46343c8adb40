-- Purpose: casino.transfer with the kinds transfer_out and transfer_in, of nobody's agent or cashier.
-- Outcome and lock order: as there.
create or replace function casino.transfer(
    p_ledger_id integer, p_from_wallet_id bigint, p_to_wallet_id bigint, p_entry_id text, p_amount_minor bigint,
    p_reason text, p_request_id text
)
returns table (o_code text, o_replay boolean, o_from_balance_minor bigint, o_to_balance_minor bigint)
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select * from casino.transfer(
        p_ledger_id, p_from_wallet_id, p_to_wallet_id, p_entry_id, p_amount_minor, 'transfer_out', 'transfer_in', p_reason,
        p_request_id, null, null, null
    );
$$;
