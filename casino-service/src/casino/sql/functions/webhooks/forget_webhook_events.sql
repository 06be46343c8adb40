-- Purpose: delete a page of events that were told more than 30 days ago, the oldest first, with their deliveries; and the webhooks
--   that have ended and have no deliveries any more.
-- Outcome: how many events were deleted.
-- Locks: the events and their deliveries. What is in use is left to the next turn.
create or replace function casino.forget_webhook_events(p_ledger_id integer, p_limit integer)
returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c_kept_for constant interval := '30 days';
    v_before constant timestamptz := casino.clock() - c_kept_for;
    v_forgotten integer;
begin
    delete from casino.webhook_events
    where ledger_id = p_ledger_id and event_id in (
        select event_id from casino.webhook_events
        where ledger_id = p_ledger_id and told_at < v_before
        order by told_at
        limit p_limit
        for update skip locked
    );
    get diagnostics v_forgotten = row_count;
    if v_forgotten = 0 then
        delete from casino.webhooks as webhook
        where webhook.ledger_id = p_ledger_id and webhook.ended_at < v_before and not exists (
            select from casino.webhook_deliveries as delivery
            where delivery.ledger_id = p_ledger_id and delivery.webhook_id = webhook.webhook_id
        );
    end if;
    return v_forgotten;
end;
$$;
