-- Purpose: the feed position below which every row of a ledger is final: no database transaction that could still commit
-- is older. Number and offset are read in one snapshot: whoever sees a new offset also sees every row of the old one.
-- Without a ledger (how the release before asks): the lowest horizon of all ledgers, which shows late and never skips.
drop function if exists casino.feed_horizon();
create or replace function casino.feed_horizon(p_ledger_id integer default null)
returns bigint
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select casino.feed_position(pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot()), 0, min(feed_offset))
    from casino.ledgers
    where p_ledger_id is null or ledger_id = p_ledger_id;
$$;
