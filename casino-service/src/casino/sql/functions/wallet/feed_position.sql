-- Purpose: the cursor of the transaction feed: the database transaction's number, then the command's place in its batch.
-- Why not a sequence: a sequence's numbers become visible out of order, and a reader that has passed a number would
-- never see a row that commits late. Rows are shown only below casino.feed_horizon(), under which nothing can still commit.
-- Bounds: 4096 commands in a batch; 2^51 database transactions.
create or replace function casino.feed_position(p_transaction_number xid8, p_place_in_batch integer)
returns bigint
language sql immutable parallel safe
begin atomic
    select (p_transaction_number::text::bigint << 12) | p_place_in_batch;
end;
