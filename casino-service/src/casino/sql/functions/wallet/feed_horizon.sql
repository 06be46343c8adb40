-- Purpose: the feed position below which every row is final: no database transaction that could still commit is older.
create or replace function casino.feed_horizon()
returns bigint
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select casino.feed_position(pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot()), 0);
$$;
