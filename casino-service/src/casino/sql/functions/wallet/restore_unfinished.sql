-- Purpose: why nobody may book in this ledger, or null. After a restore into a server whose transaction numbers are lower,
-- new rows would stand behind the feed's readers, or at positions that are taken.
-- Exact: every row that a snapshot shows was written by a transaction below the snapshot's end, unless it came from
-- another server. One look at the end of an index; ask it in a transaction of its own.
create or replace function casino.restore_unfinished(p_ledger_id integer)
returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        'the database was restored: its feed is ahead of the server''s transaction numbers. Run `casino after-restore`'
    from casino.ledgers as ledger
    where ledger.ledger_id = p_ledger_id
        and casino.newest_feed_position(p_ledger_id) >= casino.feed_position(
            pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot()), 0, ledger.feed_offset
        );
$$;
