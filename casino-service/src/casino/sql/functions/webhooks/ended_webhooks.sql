-- Purpose: which of these webhooks have ended, so that what a process sends to them is broken off.
create or replace function casino.ended_webhooks(p_ledger_id integer, p_webhook_ids uuid [])
returns setof uuid
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select asked.webhook_id
    from unnest(p_webhook_ids) as asked (webhook_id)
    where not exists (
        select from casino.webhooks as webhook
        where webhook.ledger_id = p_ledger_id and webhook.webhook_id = asked.webhook_id and webhook.ended_at is null
    );
$$;
