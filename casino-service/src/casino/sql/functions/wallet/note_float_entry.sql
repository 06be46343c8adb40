-- Purpose: write down, beside an entry of a tenant's float, with whom and by whom it was: for the tenant's statement.
--   Of another wallet nothing is written.
-- Input: p_transaction_id as casino.transactions has it; p_reference: the transfer's or the voucher's id.
create or replace function casino.note_float_entry(
    p_ledger_id integer, p_wallet_id bigint, p_transaction_id text, p_counterparty text, p_actor_id text, p_reference text
)
returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    insert into casino.float_entries (
        ledger_id, wallet_id, transaction_id, tenant_id, counterparty, actor_id, reference
    )
    select ledger_id, wallet_id, p_transaction_id, tenant_id, p_counterparty, p_actor_id, p_reference
    from casino.wallets
    where ledger_id = p_ledger_id and wallet_id = p_wallet_id and owner_kind = 'tenant';
$$;
