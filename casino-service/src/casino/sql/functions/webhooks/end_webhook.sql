-- Purpose: delete a webhook: nothing is told to it from the commit on, and what was not sent stays unsent.
-- Outcome: the webhook that was there; no row for one that is not there, or of a tenant that the caller does not see.
-- Locks: casino.hold_tenants.
create or replace function casino.end_webhook(p_ledger_id integer, p_webhook_id uuid)
returns setof casino.webhooks
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    update casino.webhooks
    set ended_at = casino.clock()
    where ledger_id = p_ledger_id and webhook_id = p_webhook_id and ended_at is null
        and case when tenant_id is null then casino.has_oversight() else casino.sees(ledger_id, tenant_id) end
    returning *;
$$;
