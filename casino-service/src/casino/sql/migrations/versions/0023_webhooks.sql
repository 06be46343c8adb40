-- Webhooks and their outbox.
-- Each step is a transaction of its own and holds at most one table that bets use. Every step may be run twice.

-- step: tenants
alter table casino.tenants
add column if not exists told_events text[] not null default '{}';
comment on column casino.tenants.told_events is
'The types of event that a webhook of this tenant or one above asks for. Kept by casino.settle_told_events.';

-- step: webhooks
create table if not exists casino.webhooks (
    ledger_id integer not null references casino.ledgers (ledger_id),
    webhook_id uuid not null default gen_random_uuid(),
    tenant_id text,
    url text not null,
    events text[] not null,
    made_by text not null,
    made_at timestamptz not null,
    ended_at timestamptz,
    primary key (ledger_id, webhook_id),
    constraint webhook_is_of_its_ledgers_tenant foreign key (ledger_id, tenant_id)
    references casino.tenants (ledger_id, tenant_id),
    constraint webhook_url_is_short check (char_length(url) between 1 and 2048),
    constraint webhook_has_events check (cardinality(events) between 1 and 100)
);
create index if not exists webhooks_newest on casino.webhooks (ledger_id, made_at desc, webhook_id desc);
comment on table casino.webhooks is 'Addresses of other systems that are told what happens. Their secrets are derived, never stored.';
comment on column casino.webhooks.tenant_id is 'It is told of this tenant and those below. Null: an owner''s, which is told of every tenant.';
comment on column casino.webhooks.ended_at is 'Deleted: nothing is sent any more. The row stays for its deliveries.';

-- step: events
create table if not exists casino.webhook_events (
    ledger_id integer not null,
    event_id uuid not null default gen_random_uuid(),
    tenant_id text not null,
    event_type text not null,
    data jsonb not null,
    told_at timestamptz not null,
    primary key (ledger_id, event_id)
);
create index if not exists webhook_events_oldest on casino.webhook_events (ledger_id, told_at);
comment on table casino.webhook_events is 'What webhooks are told, written in the transaction of what happened. Kept for 30 days.';

-- step: deliveries
create table if not exists casino.webhook_deliveries (
    ledger_id integer not null,
    delivery_id bigint not null generated always as identity,
    event_id uuid not null,
    webhook_id uuid not null,
    tenant_id text,
    player_id text,
    told_at timestamptz not null,
    status text not null default 'PENDING',
    attempt integer not null default 0,
    tries integer not null default 0,
    next_at timestamptz not null,
    first_at timestamptz,
    sent_at timestamptz,
    in_flight boolean not null default false,
    in_line boolean not null default true,
    response_status integer,
    response_body text,
    error text,
    duration_ms integer,
    primary key (ledger_id, delivery_id),
    constraint delivery_has_event foreign key (ledger_id, event_id)
    references casino.webhook_events (ledger_id, event_id) on delete cascade,
    constraint delivery_has_webhook foreign key (ledger_id, webhook_id) references casino.webhooks (ledger_id, webhook_id),
    constraint delivery_status_known check (status in ('PENDING', 'DELIVERED', 'DEAD')),
    constraint delivery_answer_is_short check (char_length(response_body) <= 4096)
);
create index if not exists deliveries_due on casino.webhook_deliveries (ledger_id, webhook_id, next_at, delivery_id)
where status = 'PENDING';
create index if not exists deliveries_in_line on casino.webhook_deliveries (ledger_id, webhook_id, player_id, delivery_id)
where status = 'PENDING' and in_line;
create index if not exists deliveries_newest on casino.webhook_deliveries (ledger_id, webhook_id, told_at, delivery_id);
create index if not exists deliveries_of_event on casino.webhook_deliveries (ledger_id, event_id);
comment on table casino.webhook_deliveries is 'An event for one webhook: tries, and what came of the newest one.';
comment on column casino.webhook_deliveries.tenant_id is 'The webhook''s. Null: an owner''s.';
comment on column casino.webhook_deliveries.player_id is 'Deliveries of one player to one webhook are sent in the order of their ids.';
comment on column casino.webhook_deliveries.next_at is 'When it is due. While it is in flight: when another process may take it over.';
comment on column casino.webhook_deliveries.attempt is 'Of all tries: with its number a process ends the try that it began.';
comment on column casino.webhook_deliveries.tries is 'Since the first try or the newest replay: how long the next one waits.';
comment on column casino.webhook_deliveries.first_at is 'The first of these tries; the last one is three days later.';
comment on column casino.webhook_deliveries.in_line is 'False after a replay of one that was over: it holds nothing back.';

-- step: triggers of webhooks
create or replace trigger hold_tenants before insert or delete or update on casino.webhooks
for each statement execute function casino.hold_tenants();
create or replace trigger settle_told_events after insert or delete or update on casino.webhooks
for each statement execute function casino.settle_told_events();

-- step: triggers of tenants
create or replace trigger settle_told_events
after insert or delete or update of parent_id, ledger_id on casino.tenants
for each statement execute function casino.settle_told_events();
