-- Purpose: make the partition of casino.ledger_events for the month (UTC) of an instant.
-- Outcome: whether it was made. Not when a partition has the month, and not when the default partition holds more than
--   p_move_max events of it: then they stay there, where every report finds them, because moving them would keep bets waiting.
--   Fewer are moved.
-- Locks: one call at a time; the default partition while the month is attached. A bet waits for that only if its own event goes
--   to the default partition, because its month was never made.
create or replace function casino.make_event_month(p_at timestamptz, p_move_max integer default 10000)
returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
declare
    v_from constant timestamptz := date_trunc('month', p_at);
    v_to constant timestamptz := v_from + interval '1 month';
    v_name constant text := to_char(v_from, '"ledger_events_"YYYY_MM');
    v_events bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended('casino.make_event_month', 0));
    if exists (select from casino.event_months() where o_from < v_to and o_to > v_from) then
        return false;
    end if;

    lock table casino.ledger_events_default in access exclusive mode;
    select count(*) into v_events
    from (
        select from casino.ledger_events_default where at >= v_from and at < v_to limit p_move_max + 1
    ) as misplaced;
    if v_events > p_move_max then
        return false;
    end if;

    execute format('create table casino.%I (like casino.ledger_events including all)', v_name);
    if v_events > 0 then
        execute format(
            'with moved as (delete from casino.ledger_events_default where at >= %L and at < %L returning *)'
            ' insert into casino.%I select * from moved', v_from, v_to, v_name
        );
    end if;
    perform casino.copy_row_security('casino.ledger_events', format('casino.%I', v_name)::regclass);
    execute format(
        'alter table casino.ledger_events attach partition casino.%I for values from (%L) to (%L)', v_name, v_from, v_to
    );
    return true;
end;
$$;
