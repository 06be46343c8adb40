-- Purpose: write down, beside an entry of a tenant's float that was just booked, with whom and by whom it was: for the tenant's
--   statement. Of another wallet nothing is written.
-- Input: p_transaction_id as casino.transactions has it; p_reference: the transfer's or the voucher's id.
create or replace function casino.note_float_entry(
    p_ledger_id integer, p_wallet_id bigint, p_transaction_id text, p_counterparty text, p_actor_id text, p_reference text
)
returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    insert into casino.float_entries (
        ledger_id, wallet_id, transaction_id, tenant_id, sequence_no, at, counterparty, actor_id, reference
    )
    select
        entry.ledger_id, entry.wallet_id, entry.transaction_id, entry.tenant_id, entry.sequence_no, entry.recorded_at,
        p_counterparty, p_actor_id, p_reference
    from casino.wallets as wallet
    join casino.transactions as entry
        on entry.ledger_id = wallet.ledger_id and entry.wallet_id = wallet.wallet_id and entry.transaction_id = p_transaction_id
        and entry.provider_id = 'main'
    where wallet.ledger_id = p_ledger_id and wallet.wallet_id = p_wallet_id and wallet.owner_kind = 'tenant';
$$;
