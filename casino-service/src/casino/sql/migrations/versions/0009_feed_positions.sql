-- The feed shows positions behind 0 only. No row is read: bets wait for moments.
-- Old rows are not checked here: casino.wallet_differences looks at every one.

alter table casino.transactions
add constraint feed_position_positive check (feed_position > 0) not valid;
alter table casino.events
add constraint event_position_positive check (feed_position > 0) not valid;
