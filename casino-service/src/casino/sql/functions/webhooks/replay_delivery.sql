-- Purpose: send a delivery again, now. One that was over begins anew, with tries for three days, and holds nothing back; one that waits
--   for its next try is tried now; one that is in flight stays as it is.
-- Outcome: no row for one that is not there, or of a webhook that the caller does not see.
-- Locks: the delivery.
create or replace function casino.replay_delivery(p_ledger_id integer, p_webhook_id uuid, p_delivery_id bigint)
returns setof casino.webhook_deliveries
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    update casino.webhook_deliveries
    set
        status = 'PENDING', in_line = in_line and status = 'PENDING',
        tries = case when status = 'PENDING' then tries else 0 end,
        first_at = case when status = 'PENDING' then first_at end,
        next_at = case when in_flight then next_at else casino.clock() end
    where ledger_id = p_ledger_id and delivery_id = p_delivery_id and webhook_id = p_webhook_id
        and case when tenant_id is null then casino.has_oversight() else casino.sees(ledger_id, tenant_id) end
    returning *;
$$;
