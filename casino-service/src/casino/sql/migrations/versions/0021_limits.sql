-- Limits of players inside the debit.
-- Each step is a transaction of its own and holds at most one table that bets use. Every step may be run twice.

-- step: wallets
alter table casino.wallets
add column if not exists has_limits boolean not null default false,
add column if not exists stopped_play_session_id uuid;
comment on column casino.wallets.has_limits is 'Its row of casino.limit_counters is to be read and moved by every bet.';
comment on column casino.wallets.stopped_play_session_id is 'A play session that the risk engine ended: its bets are refused until it is over.';
