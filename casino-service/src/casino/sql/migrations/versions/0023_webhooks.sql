-- Webhooks and their outbox.
-- Each step is a transaction of its own and holds at most one table that bets use. Every step may be run twice.

-- step: tenants
alter table casino.tenants
add column if not exists told_events text[] not null default '{}';
comment on column casino.tenants.told_events is 'The types of event that a webhook of this tenant or one above asks for.';
