-- Staff, their logins and their API keys.
-- Each step is a transaction of its own and holds at most one table that bets use. Every step may be run twice.

-- step: staff
create table if not exists casino.staff (
    ledger_id integer not null references casino.ledgers (ledger_id),
    staff_id text not null default gen_random_uuid()::text,
    tenant_id text,
    username text not null,
    role text not null,
    is_active boolean not null default true,
    has_otp boolean not null default false,
    made_by text,
    made_at timestamptz not null,
    primary key (ledger_id, staff_id),
    constraint one_member_of_staff_per_name unique (ledger_id, username),
    constraint staff_is_of_its_ledgers_tenant foreign key (ledger_id, tenant_id)
    references casino.tenants (ledger_id, tenant_id),
    constraint staff_was_made_by_staff foreign key (ledger_id, made_by) references casino.staff (ledger_id, staff_id),
    constraint staff_role_known check (role in ('owner', 'distributor', 'operator', 'agent', 'cashier', 'auditor')),
    constraint owners_have_no_tenant check ((role = 'owner') = (tenant_id is null)),
    constraint username_well_formed check (username ~ '^[a-z0-9._-]{3,64}$')
);
create index if not exists staff_newest on casino.staff (ledger_id, made_at desc, staff_id desc);
comment on column casino.staff.made_by is 'Null: made by the command line.';
comment on column casino.staff.has_otp is 'One-time passwords were confirmed, and are asked for at each login.';

-- step: secrets of staff
-- Apart from casino.staff, so that no login may read them: two functions do.
create table if not exists casino.staff_secrets (
    ledger_id integer not null,
    staff_id text not null,
    password_hash text not null,
    otp_nonce bytea,
    otp_steps bigint [] not null default '{}',
    recovery_macs bytea [] not null default '{}',
    primary key (ledger_id, staff_id),
    constraint secrets_are_of_staff foreign key (ledger_id, staff_id) references casino.staff (ledger_id, staff_id)
);
comment on column casino.staff_secrets.password_hash is 'argon2id.';
comment on column casino.staff_secrets.otp_nonce is
    'The secret of one-time passwords is an HMAC of this under the pepper. Null: not enrolled.';
comment on column casino.staff_secrets.otp_steps is 'The newest steps of 30 seconds whose password was used.';
comment on column casino.staff_secrets.recovery_macs is 'HMACs of the recovery codes that were not used.';

-- step: families of refresh tokens
-- A family is one login. Its refresh tokens are numbered; each is an HMAC of family and number, and only the newest is unused.
create table if not exists casino.staff_families (
    ledger_id integer not null,
    family_id text not null default gen_random_uuid()::text,
    staff_id text not null,
    number integer not null default 1,
    births timestamptz [] not null,
    ends_at timestamptz not null,
    ended_at timestamptz,
    primary key (ledger_id, family_id),
    constraint families_are_of_staff foreign key (ledger_id, staff_id) references casino.staff (ledger_id, staff_id)
);
create index if not exists staff_families_of_staff on casino.staff_families (ledger_id, staff_id) where ended_at is null;
create index if not exists staff_families_oldest on casino.staff_families (ledger_id, ends_at);
comment on column casino.staff_families.births is
    'When the newest tokens were made, the newest last: at least the newest one, and those of the last seconds.';
comment on column casino.staff_families.ended_at is 'Logged out, revoked, or the member of staff was deactivated.';

-- step: roles that need one-time passwords
create table if not exists casino.otp_roles (
    ledger_id integer not null references casino.ledgers (ledger_id),
    role text not null,
    primary key (ledger_id, role)
);

-- step: API keys
create table if not exists casino.api_keys (
    ledger_id integer not null,
    key_id text not null default gen_random_uuid()::text,
    tenant_id text,
    made_by text not null,
    name text not null,
    prefix text not null,
    key_mac bytea not null,
    scopes text [] not null,
    made_at timestamptz not null,
    ends_at timestamptz not null,
    deleted_at timestamptz,
    primary key (ledger_id, key_id),
    constraint one_api_key_per_mac unique (ledger_id, key_mac),
    constraint api_keys_are_of_staff foreign key (ledger_id, made_by) references casino.staff (ledger_id, staff_id)
);
create index if not exists api_keys_newest on casino.api_keys (ledger_id, made_at desc, key_id desc);
comment on column casino.api_keys.tenant_id is 'The tenant of its maker; null for an owner''s.';
comment on column casino.api_keys.key_mac is 'HMAC of the key under the pepper.';

-- step: refusals of logins
-- What is counted is a name, known or not, or a network.
create table if not exists casino.login_refusals (
    ledger_id integer not null,
    counted text not null,
    refused_at timestamptz [] not null default '{}',
    locks integer not null default 0,
    locked_until timestamptz,
    forget_at timestamptz not null,
    primary key (ledger_id, counted)
);
create index if not exists login_refusals_oldest on casino.login_refusals (ledger_id, forget_at);
comment on column casino.login_refusals.counted is '''staff:'' or ''player:'' and a hash of the name, or ''from:'' and a network.';
comment on column casino.login_refusals.refused_at is 'The newest refusals since the last lock, the newest last.';
comment on column casino.login_refusals.locks is 'How often the name was locked. Forgotten a day after the last lock.';

-- step: the audit trail of a tenant and of an actor
-- The table is new.
-- squawk-ignore require-concurrent-index-creation
create index if not exists audit_trail_of_tenants on casino.audit_trail (ledger_id, tenant_id, at desc, audit_id desc);
-- squawk-ignore require-concurrent-index-creation
create index if not exists audit_trail_of_actors on casino.audit_trail (ledger_id, actor_id, at desc, audit_id desc);
