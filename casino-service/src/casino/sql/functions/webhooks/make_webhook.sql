-- Purpose: a new webhook of a tenant, or of owners (p_tenant_id null).
-- Outcome: o_code NOT_FOUND, or TOO_MANY_WEBHOOKS for the 21st of a tenant: the caller rolls back. Else the webhook.
-- Locks: casino.hold_tenants. What is told after its commit is told to it, too.
create or replace function casino.make_webhook(
    p_ledger_id integer, p_tenant_id text, p_url text, p_events text [], p_made_by text,
    out o_code text, out o_webhook_id uuid, out o_made_at timestamptz
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c_most constant integer := 20;
begin
    if not ((p_tenant_id is null and casino.has_oversight()) or casino.sees(p_ledger_id, p_tenant_id)) then
        o_code := 'NOT_FOUND';
        return;
    end if;
    o_made_at := casino.clock();
    insert into casino.webhooks (ledger_id, tenant_id, url, events, made_by, made_at)
    values (p_ledger_id, p_tenant_id, p_url, p_events, p_made_by, o_made_at)
    returning webhook_id into o_webhook_id;
    if (
        select count(*) from casino.webhooks
        where ledger_id = p_ledger_id and tenant_id is not distinct from p_tenant_id and ended_at is null
    ) > c_most then
        o_code := 'TOO_MANY_WEBHOOKS';
    end if;
end;
$$;
