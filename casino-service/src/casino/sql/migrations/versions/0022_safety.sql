-- The risk engine and its actions.
-- Each step is a transaction of its own and holds at most one table that bets use. Every step may be run twice.

-- step: rounds
alter table casino.rounds
add column if not exists ended_at timestamptz;
comment on column casino.rounds.ended_at is 'When its first credit landed, or its last bet was rolled back. Null: it runs.';
