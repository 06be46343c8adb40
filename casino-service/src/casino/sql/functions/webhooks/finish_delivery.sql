-- Purpose: note what came of a try. A success ends the delivery. After a failure the next try follows in 5 s, 30 s, 5 min, 30 min, 2 h,
--   then every 8 h, the last one three days after the first; then the delivery is DEAD. One that is over lets the next one of the
--   player go.
-- Input: p_attempt of casino.claim_deliveries: a try that was taken over by another changes nothing. p_retry_after, in seconds: how
--   long the receiver wants to be left alone, or null; it may make a wait as long as the next one of the schedule, and no shorter.
-- Outcome: the status, null for a try that was taken over.
-- Locks: the delivery, then the next one of the player.
create or replace function casino.finish_delivery(
    p_ledger_id integer, p_delivery_id bigint, p_attempt integer, p_is_success boolean, p_response_status integer,
    p_response_body text, p_error text, p_duration_ms integer, p_retry_after integer
)
returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c_waits constant interval [] := array['5 seconds', '30 seconds', '5 minutes', '30 minutes', '2 hours'];
    c_wait_else constant interval := '8 hours';
    c_tried_for constant interval := '3 days';
    v_now constant timestamptz := casino.clock();
    v_delivery casino.webhook_deliveries;
begin
    update casino.webhook_deliveries
    set
        status = case
            when p_is_success then 'DELIVERED'
            when v_now >= first_at + c_tried_for then 'DEAD'
            else 'PENDING'
        end,
        next_at = case
            when p_is_success then v_now
            else least(
                v_now + greatest(
                    coalesce(c_waits[tries], c_wait_else),
                    least(make_interval(secs => coalesce(p_retry_after, 0)), coalesce(c_waits[tries + 1], c_wait_else))
                ),
                greatest(first_at + c_tried_for, v_now)
            )
        end,
        in_flight = false, response_status = p_response_status, response_body = p_response_body, error = p_error,
        duration_ms = p_duration_ms
    where ledger_id = p_ledger_id and delivery_id = p_delivery_id and attempt = p_attempt and in_flight
    returning * into v_delivery;
    if v_delivery.status <> 'PENDING' and v_delivery.player_id is not null and v_delivery.in_line then
        update casino.webhook_deliveries
        set next_at = v_now
        where ledger_id = p_ledger_id and delivery_id = (
            select delivery_id from casino.webhook_deliveries
            where ledger_id = p_ledger_id and webhook_id = v_delivery.webhook_id and player_id = v_delivery.player_id
                and status = 'PENDING' and in_line
            order by delivery_id
            limit 1
        ) and status = 'PENDING' and not in_flight;
    end if;
    return v_delivery.status;
end;
$$;
