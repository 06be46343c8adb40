-- Purpose: make the partitions of casino.ledger_events from this month to p_ahead months later. The service calls it once an hour.
-- Outcome: o_made, and o_missing: months that could not be made. They refuse no bet: their events go to the default partition.
-- It runs with the rights of the schema's owner, because only that may attach a partition: see grants.sql. Nothing that a caller
--   gives reaches a name or a text of its statements.
-- Locks: casino.make_event_month; none when no month is missing.
create or replace function casino.make_event_months(p_ahead integer default 3, out o_made integer, out o_missing integer)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    select count(*) into o_made from casino.event_months_missing(p_ahead) as missing where casino.make_event_month(missing);
    select count(*) into o_missing from casino.event_months_missing(p_ahead);
end;
$$;
