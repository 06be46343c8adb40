-- Purpose: after a restore, let the feed of a ledger go on above every position that any reader may have seen.
-- Outcome: whether it moved; the newest position that is there; the position below which no new row will be.
-- The gap of 2^32 transactions is for the rows that the restore lost: a reader may hold a cursor behind one of them.
-- Idempotent while the server runs: its transaction numbers only grow, so one move is enough. Moving once more is harmless.
-- Lock order: the table lock comes first. Whoever books reads the offset under a lock that this one waits for, so all rows
-- of the old offset are committed before the new one can be seen. Needs read committed.
create or replace function casino.move_feed_ahead(p_ledger_id integer)
returns table (o_moved boolean, o_newest_position bigint, o_first_position bigint)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_gap constant bigint := 4294967296;
    c_server_started constant timestamptz := pg_catalog.pg_postmaster_start_time();
    v_moved_at timestamptz;
    v_offset bigint;
    v_oldest xid8;
    v_next xid8;
begin
    lock table casino.transactions in share row exclusive mode;
    select feed_offset, feed_moved_for into strict v_offset, v_moved_at
    from casino.ledgers
    where ledger_id = p_ledger_id
    for no key update;
    o_newest_position := coalesce(casino.newest_feed_position(p_ledger_id), 0);
    v_oldest := pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot());
    v_next := pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot());

    o_moved := v_moved_at is distinct from c_server_started
        or o_newest_position >= casino.feed_position(v_next, 0, v_offset);
    if o_moved then
        v_offset := c_gap - v_oldest::text::bigint
            + greatest(v_next::text::bigint + v_offset, (o_newest_position >> 12) + 1);
        update casino.ledgers
        set feed_offset = v_offset, feed_moved_for = c_server_started
        where ledger_id = p_ledger_id;
    end if;
    o_first_position := casino.feed_position(v_oldest, 0, v_offset);
    return next;
end;
$$;
