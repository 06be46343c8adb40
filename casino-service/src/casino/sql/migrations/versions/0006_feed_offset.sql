-- What a restore adds to feed positions: see casino.move_feed_ahead. The table has a row for each ledger: few.
alter table casino.ledgers
add column feed_offset bigint not null default 0,
add column feed_moved_for timestamptz,
-- squawk-ignore constraint-missing-not-valid
add constraint feed_offset_in_range check (feed_offset between 0 and 1125899906842624);
comment on column casino.ledgers.feed_offset is
    'Added to the transaction number in every feed position; only casino.move_feed_ahead changes it.';
comment on column casino.ledgers.feed_moved_for is
    'Start time of the server for which `casino after-restore` moved the feed ahead; null: never.';
