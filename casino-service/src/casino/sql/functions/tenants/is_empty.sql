-- Purpose: whether these tenants of a ledger hold nothing: empty floats, no NEW voucher, no player with money, an open bet or a
--   bonus to come. The caller holds the floats, so nothing can come in meanwhile.
create or replace function casino.is_empty(p_ledger_id integer, p_tenant_ids text[])
returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select not exists (
        select from casino.wallets
        where ledger_id = p_ledger_id and tenant_id = any (p_tenant_ids)
            and (balance_minor > 0 or pending_bonus_minor > 0 or casino.has_open_bet(p_ledger_id, wallet_id))
    ) and not exists (
        select from casino.vouchers
        where ledger_id = p_ledger_id and tenant_id = any (p_tenant_ids) and status = 'NEW'
    );
$$;
