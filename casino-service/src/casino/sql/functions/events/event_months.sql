-- Purpose: the partitions of casino.ledger_events and what they hold: o_from inclusive, o_to exclusive. Both are null for the
--   default partition, which holds events of every instant that no other has.
create or replace function casino.event_months()
returns table (o_partition regclass, o_from timestamptz, o_to timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $$
    select partition.oid::regclass, bound.ends[1]::timestamptz, bound.ends[2]::timestamptz
    from pg_inherits
    join pg_class as partition on partition.oid = inhrelid
    cross join lateral (
        select regexp_match(pg_get_expr(relpartbound, partition.oid), 'FROM \(''(.+)''\) TO \(''(.+)''\)') as ends
    ) as bound
    where inhparent = 'casino.ledger_events'::regclass
    order by 2, 1;
$$;
