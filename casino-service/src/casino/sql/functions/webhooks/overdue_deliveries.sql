-- Purpose: how many deliveries have been due for more than a minute and no process sends: counted up to p_most.
create or replace function casino.overdue_deliveries(p_ledger_id integer, p_most integer)
returns integer
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select count(*)::integer
    from (
        select
        from casino.webhooks as webhook
        cross join lateral (
            select
            from casino.webhook_deliveries as delivery
            where delivery.ledger_id = p_ledger_id and delivery.webhook_id = webhook.webhook_id
                and delivery.status = 'PENDING' and delivery.next_at < casino.clock() - interval '1 minute'
            limit p_most
        ) as overdue
        where webhook.ledger_id = p_ledger_id and webhook.ended_at is null
        limit p_most
    ) as counted;
$$;
