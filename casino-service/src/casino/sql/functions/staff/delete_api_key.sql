-- Purpose: end an API key that the transaction sees.
-- Outcome: whether there was one that was not deleted yet.
create or replace function casino.delete_api_key(p_ledger_id integer, p_key_id text)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update casino.api_keys set deleted_at = casino.clock()
    where ledger_id = p_ledger_id and key_id = p_key_id and deleted_at is null and casino.sees_staff(p_ledger_id, tenant_id);
    return found;
end;
$$;
