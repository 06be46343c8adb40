-- Purpose: take deliveries that are due, to send them: the first of each player and webhook; the others wait behind it.
-- Input: p_webhook_ids and p_free: how many more of each of these webhooks the process may have in flight; p_free_else of every other,
--   p_most of all; p_held: how many it has in flight of each tenant's webhooks, owners' by "".
-- Bounds: a tenant has at most a quarter as many in flight as the process has free. So some stay free, however many tenants have
--   webhooks that hang.
-- Outcome: what to send, with the number of this try. It is taken for 30 seconds; after that another process may take it over, and
--   casino.finish_delivery knows by that number that this try is over. One that waits behind another becomes due when that is
--   over: no step looks at it meanwhile.
-- Locks: the deliveries. One that another process looks at is left to it.
create or replace function casino.claim_deliveries(
    p_ledger_id integer, p_webhook_ids uuid [], p_free integer [], p_free_else integer, p_held jsonb, p_most integer
)
returns table (
    o_delivery_id bigint, o_webhook_id uuid, o_tenant_id text, o_url text, o_event_id uuid, o_type text, o_told_at text, o_data text,
    o_attempt integer, o_sent_at timestamptz
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c_lease constant interval := '30 seconds';
    c_pages constant integer := 20;
    v_now constant timestamptz := casino.clock();
    v_webhook record;
    v_due bigint[];
    v_waiting bigint[];
    v_held jsonb := p_held;
    v_most integer := p_most;
    v_own integer;
    v_free integer;
    v_taken integer;
begin
    for v_webhook in
        select webhook.webhook_id, webhook.tenant_id, coalesce(webhook.tenant_id, '') as of_whom, webhook.url, coalesce(own.free, p_free_else) as free
        from casino.webhooks as webhook
        left join unnest(p_webhook_ids, p_free) as own (webhook_id, free) on own.webhook_id = webhook.webhook_id
        where webhook.ledger_id = p_ledger_id and webhook.ended_at is null and coalesce(own.free, p_free_else) > 0
        order by random()
    loop
        exit when v_most <= 0;
        v_own := coalesce((v_held ->> v_webhook.of_whom)::integer, 0);
        v_free := least(v_webhook.free, greatest(v_most / 4, 1) - v_own);
        continue when v_free <= 0;
        for v_page in 1..c_pages loop
            select array_agg(page.delivery_id order by page.next_at, page.delivery_id) into v_due
            from (
                select delivery_id, next_at
                from casino.webhook_deliveries
                where ledger_id = p_ledger_id and webhook_id = v_webhook.webhook_id and status = 'PENDING'
                    and next_at <= v_now
                order by next_at, delivery_id
                limit v_free * 8
                for no key update skip locked
            ) as page;
            exit when v_due is null;

            -- A statement of its own: it sees what was over when these rows were locked, and who ends the first one waits for them.
            with moved as (
                update casino.webhook_deliveries as delivery
                set next_at = greatest(first.next_at, v_now + interval '1 second')
                from casino.webhook_deliveries as second
                cross join lateral (
                    select one.next_at
                    from casino.webhook_deliveries as one
                    where one.ledger_id = p_ledger_id and one.webhook_id = v_webhook.webhook_id
                        and one.player_id = second.player_id and one.status = 'PENDING' and one.in_line
                        and one.delivery_id < second.delivery_id
                    order by one.delivery_id
                    limit 1
                ) as first
                where second.ledger_id = p_ledger_id and second.delivery_id = any (v_due) and second.in_line
                    and delivery.ledger_id = p_ledger_id and delivery.delivery_id = second.delivery_id
                returning delivery.delivery_id
            )
            select array_agg(delivery_id) into v_waiting from moved;

            return query
            update casino.webhook_deliveries as delivery
            set
                attempt = delivery.attempt + 1, tries = delivery.tries + 1, next_at = v_now + c_lease, in_flight = true,
                sent_at = v_now, first_at = coalesce(delivery.first_at, v_now)
            from casino.webhook_events as event
            where delivery.ledger_id = p_ledger_id and delivery.delivery_id in (
                select due.delivery_id
                from unnest(v_due) with ordinality as due (delivery_id, place)
                where due.delivery_id <> all (coalesce(v_waiting, '{}'))
                order by due.place
                limit v_free
            )
                and event.ledger_id = p_ledger_id and event.event_id = delivery.event_id
            returning
                delivery.delivery_id, v_webhook.webhook_id, v_webhook.tenant_id, v_webhook.url, event.event_id,
                event.event_type, casino.wire_instant(event.told_at), event.data::text, delivery.attempt, v_now;
            get diagnostics v_taken = row_count;
            v_most := v_most - v_taken;
            v_held := v_held || jsonb_build_object(v_webhook.of_whom, v_own + v_taken);
            exit when v_taken > 0 or v_waiting is null;
        end loop;
    end loop;
end;
$$;
