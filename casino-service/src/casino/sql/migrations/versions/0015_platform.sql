-- What every part of the operator's platform shares: settings of tenants, whose a wallet is, the audit trail, kept answers.
-- Each step is a transaction of its own and holds at most one table that bets use. Every step may be run twice.

-- step: settings of tenants
alter table casino.tenants
add column if not exists currency text not null default 'USD',
add column if not exists bonus_bp integer not null default 5000,
add column if not exists timezone text not null default 'America/Los_Angeles',
add column if not exists region text,
add column if not exists require_approval_above_minor bigint,
-- squawk-ignore ban-drop-constraint
drop constraint if exists tenant_bonus_in_range,
-- squawk-ignore ban-drop-constraint
drop constraint if exists tenant_region_is_short,
-- Few rows: a constraint that is checked later would free nobody.
-- squawk-ignore constraint-missing-not-valid
add constraint tenant_bonus_in_range check (bonus_bp between 0 and 20000),
-- squawk-ignore constraint-missing-not-valid
add constraint tenant_region_is_short check (char_length(region) between 1 and 64);
comment on column casino.tenants.bonus_bp is 'Bonus of a voucher in basis points of its amount.';
comment on column casino.tenants.require_approval_above_minor is 'Null: nothing has to be approved.';

-- step: whose a wallet is
alter table casino.wallets
add column if not exists owner_kind text not null default 'player',
-- squawk-ignore ban-drop-constraint
drop constraint if exists wallet_owner_known,
add constraint wallet_owner_known check (owner_kind in ('player', 'tenant', 'pool')) not valid;
comment on column casino.wallets.owner_kind is 'A tenant''s wallet is its float; its player_id is §tenant: and the tenant''s id.';

-- step: whose a wallet is, is checked
alter table casino.wallets
-- squawk-ignore constraint-missing-not-valid
validate constraint wallet_owner_known;

-- step: audit trail
create table if not exists casino.audit_trail (
    ledger_id integer not null references casino.ledgers (ledger_id),
    audit_id bigint not null generated always as identity,
    at timestamptz not null,
    tenant_id text,
    actor_kind text not null,
    actor_id text,
    actor_name text,
    action text not null,
    subject text,
    outcome text not null,
    before jsonb,
    after jsonb,
    request_id text not null,
    address inet,
    refusals integer not null default 1,
    primary key (ledger_id, audit_id),
    constraint audit_outcome_known check (outcome in ('DONE', 'REFUSED')),
    constraint audit_actor_known check (actor_kind in ('staff', 'apiKey', 'player', 'anyone', 'system'))
);
create index if not exists audit_trail_newest on casino.audit_trail (ledger_id, at desc, audit_id desc);
create index if not exists audit_trail_refusals on casino.audit_trail (ledger_id, address, at) where outcome = 'REFUSED';
comment on column casino.audit_trail.tenant_id is 'Null: of no tenant; owners see it.';
comment on column casino.audit_trail.refusals is 'How many refusals of one address share the row.';

-- step: kept answers
-- The answers to requests with an idempotency key: see casino.api.kept_answers.
create table if not exists casino.kept_answers (
    ledger_id integer not null references casino.ledgers (ledger_id),
    scope text not null,
    key_hash bytea not null,
    body_hash bytea not null,
    status integer,
    answer bytea,
    sealed bytea,
    kept_at timestamptz not null,
    primary key (ledger_id, scope, key_hash)
);
create index if not exists kept_answers_oldest on casino.kept_answers (kept_at);
comment on column casino.kept_answers.answer is 'The body, in which codes, PINs, tokens and secrets are null.';
comment on column casino.kept_answers.sealed is 'The whole body, encrypted; null after a day.';
