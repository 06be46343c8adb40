-- Purpose: take a voucher's sealed slip, once, with the HMAC of its token, within its 15 minutes.
-- Outcome: null for a voucher that the caller does not see, another token, a slip that was printed or is too old.
create or replace function casino.take_slip(p_ledger_id integer, p_voucher_id text, p_token_mac bytea)
returns bytea
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    delete from casino.voucher_slips
    where ledger_id = p_ledger_id and voucher_id = p_voucher_id and token_mac = p_token_mac and ends_at > casino.clock()
        and casino.sees(p_ledger_id, tenant_id)
    returning sealed;
$$;
