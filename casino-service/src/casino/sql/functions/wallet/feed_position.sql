-- Purpose: the cursor of the transaction feed: the database transaction's number plus the ledger's offset, then the
-- command's place in its batch.
-- Why not a sequence: a sequence's numbers become visible out of order, and a reader that has passed a number would
-- never see a row that commits late. Rows are shown only below casino.feed_horizon(), under which nothing can still commit.
-- Why an offset: transaction numbers mean something only within one server's history. See casino.move_feed_ahead.
-- Bounds: 4096 commands in a batch; 2^51 for the sum of number and offset.
drop function if exists casino.feed_position(xid8, integer);
create or replace function casino.feed_position(
    p_transaction_number xid8, p_place_in_batch integer, p_feed_offset bigint
)
returns bigint
language sql immutable parallel safe
begin atomic
    select ((p_transaction_number::text::bigint + p_feed_offset) << 12) | p_place_in_batch;
end;
