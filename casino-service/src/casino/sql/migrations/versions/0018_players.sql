-- Players of the platform, their play sessions, approvals, shifts, limits and exclusions.
-- Each step is a transaction of its own and holds at most one table that bets use. Every step may be run twice.

-- step: players
-- A row for each wallet of a player. How much a player has, and until when bets are refused, is in casino.wallets.
create table if not exists casino.players (
    ledger_id integer not null,
    player_id text not null,
    tenant_id text not null,
    wallet_id bigint not null,
    status text not null default 'ACTIVE',
    login_code_mac bytea,
    pin_mac bytea,
    is_ephemeral boolean not null default false,
    voucher_id text,
    agent_id text,
    cashier_id text,
    created_at timestamptz not null,
    closed_at timestamptz,
    erased_at timestamptz,
    primary key (ledger_id, player_id),
    constraint player_has_wallet foreign key (ledger_id, wallet_id) references casino.wallets (ledger_id, wallet_id),
    constraint player_status_known check (status in ('ACTIVE', 'FROZEN', 'CLOSED')),
    constraint login_needs_both check ((login_code_mac is null) = (pin_mac is null)),
    constraint closed_has_instant check ((status = 'CLOSED') = (closed_at is not null))
);
create unique index if not exists players_wallet on casino.players (ledger_id, wallet_id);
create unique index if not exists players_login_code on casino.players (ledger_id, login_code_mac);
create index if not exists players_newest on casino.players (ledger_id, tenant_id, created_at desc, player_id desc);
comment on column casino.players.status is 'EXCLUDED is not stored: casino.wallets.excluded_until says it (casino.player_status).';
comment on column casino.players.login_code_mac is 'Null: the player cannot log in with a code, such as one of the demo.';
comment on column casino.players.is_ephemeral is 'Made by a voucher: the account closes when nothing is left in it.';

-- step: players of the wallets that are there
insert into casino.players (ledger_id, player_id, tenant_id, wallet_id, created_at)
select ledger_id, player_id, tenant_id, wallet_id, created_at
from casino.wallets
where owner_kind = 'player'
on conflict do nothing;

-- step: play sessions
-- What a player's limits and reality checks count in. It goes on while logins and bets are less than six hours apart.
create table if not exists casino.play_sessions (
    ledger_id integer not null,
    play_session_id uuid not null default gen_random_uuid(),
    tenant_id text not null,
    player_id text not null,
    wallet_id bigint not null,
    opening_balance_minor bigint not null,
    started_at timestamptz not null,
    last_login_at timestamptz not null,
    check_due_at timestamptz not null,
    ended_at timestamptz,
    primary key (ledger_id, play_session_id),
    constraint play_session_has_player foreign key (ledger_id, player_id) references casino.players (ledger_id, player_id)
);
create unique index if not exists one_play_session_at_a_time on casino.play_sessions (ledger_id, player_id)
where ended_at is null;
create index if not exists play_sessions_open on casino.play_sessions (ledger_id, last_login_at, play_session_id)
where ended_at is null;
comment on column casino.play_sessions.check_due_at is 'When the next reality check is due.';

-- step: play sessions of game sessions
alter table casino.game_sessions
add column if not exists play_session_id uuid,
add column if not exists last_bet_at timestamptz;
comment on column casino.game_sessions.play_session_id is 'Null: of a release before, or the player had none.';
comment on column casino.game_sessions.last_bet_at is 'Its newest debit. Null: none yet.';

-- step: approvals
-- Requests for money that wait for somebody else''s decision. Nothing is held while one waits.
create table if not exists casino.approvals (
    ledger_id integer not null,
    approval_id text not null default gen_random_uuid()::text,
    tenant_id text not null,
    player_id text not null,
    wallet_id bigint not null,
    kind text not null,
    amount_minor bigint not null,
    reason text not null,
    requested_by text not null,
    requested_at timestamptz not null,
    status text not null default 'PENDING',
    decided_by text,
    decided_at timestamptz,
    primary key (ledger_id, approval_id),
    constraint approval_has_player foreign key (ledger_id, player_id) references casino.players (ledger_id, player_id),
    constraint approval_kind_known check (kind in ('WITHDRAW', 'CASHOUT', 'ADJUST')),
    constraint approval_status_known check (status in ('PENDING', 'APPROVED', 'REJECTED')),
    constraint decision_is_whole check ((status = 'PENDING') = (decided_at is null) and (decided_at is null) = (decided_by is null))
);
create index if not exists approvals_newest on casino.approvals (ledger_id, tenant_id, requested_at desc, approval_id desc);
create index if not exists approvals_of_player on casino.approvals (ledger_id, wallet_id, kind, requested_at);
comment on column casino.approvals.amount_minor is 'Signed for an adjustment. Of a cash-out: the balance when it was asked for.';

-- step: money that staff moved for players
-- One row for each deposit, withdrawal, adjustment and cash-out: what thresholds, shifts and deposit limits are counted from.
create table if not exists casino.player_payments (
    ledger_id integer not null,
    payment_id uuid not null default gen_random_uuid(),
    tenant_id text not null,
    player_id text not null,
    wallet_id bigint not null,
    kind text not null,
    amount_minor bigint not null,
    staff_id text not null,
    shift_id uuid,
    at timestamptz not null,
    primary key (ledger_id, payment_id),
    constraint payment_has_player foreign key (ledger_id, player_id) references casino.players (ledger_id, player_id),
    constraint payment_kind_known check (kind in ('DEPOSIT', 'WITHDRAW', 'CASHOUT', 'ADJUST')),
    constraint payment_signed_if_adjusted check (amount_minor >= 0 or kind = 'ADJUST')
);
create index if not exists player_payments_of_player on casino.player_payments (ledger_id, wallet_id, kind, at);
create index if not exists player_payments_of_shift on casino.player_payments (ledger_id, shift_id) where shift_id is not null;
comment on column casino.player_payments.shift_id is 'The shift of staff_id in which it counts. Null: none was open.';

-- step: shifts
create table if not exists casino.shifts (
    ledger_id integer not null,
    shift_id uuid not null default gen_random_uuid(),
    tenant_id text not null,
    staff_id text not null,
    opened_at timestamptz not null,
    cash_minor bigint not null,
    closed_at timestamptz,
    issued_minor bigint,
    voided_minor bigint,
    redeemed_minor bigint,
    deposited_minor bigint,
    withdrawn_minor bigint,
    cashed_out_minor bigint,
    counted_minor bigint,
    primary key (ledger_id, shift_id),
    constraint shift_cash_not_negative check (cash_minor >= 0 and counted_minor >= 0),
    constraint closed_shift_is_counted check ((closed_at is null) = (counted_minor is null))
);
create unique index if not exists one_open_shift on casino.shifts (ledger_id, staff_id) where closed_at is null;
create index if not exists shifts_newest on casino.shifts (ledger_id, tenant_id, opened_at desc, shift_id desc);
comment on column casino.shifts.issued_minor is 'Without bonus. This and the following totals are null while the shift is open.';

-- step: limits
create table if not exists casino.player_limits (
    ledger_id integer not null,
    limit_id uuid not null default gen_random_uuid(),
    tenant_id text not null,
    player_id text not null,
    kind text not null,
    period text not null,
    value bigint,
    status text not null,
    effective_at timestamptz not null,
    made_at timestamptz not null,
    made_by_kind text not null,
    made_by text not null,
    primary key (ledger_id, limit_id),
    constraint limit_has_player foreign key (ledger_id, player_id) references casino.players (ledger_id, player_id),
    constraint limit_kind_known check (kind in ('deposit', 'loss', 'time')),
    constraint limit_period_known check (period in ('day', 'week', 'month')),
    constraint limit_not_negative check (value >= 0),
    constraint limit_status_known check (status in ('ACTIVE', 'PENDING', 'REPLACED'))
);
create unique index if not exists one_limit_in_force on casino.player_limits (ledger_id, player_id, kind, period)
where status = 'ACTIVE';
create unique index if not exists one_wish_at_a_time on casino.player_limits (ledger_id, player_id, kind, period)
where status = 'PENDING';
comment on column casino.player_limits.value is 'Minor units, of kind time minutes. Null: no such limit.';

-- step: exclusions
-- Every exclusion that was asked for. In force is casino.wallets.excluded_until, the latest of them.
create table if not exists casino.player_exclusions (
    ledger_id integer not null,
    exclusion_id uuid not null default gen_random_uuid(),
    tenant_id text not null,
    player_id text not null,
    excluded_until timestamptz not null,
    made_at timestamptz not null,
    made_by_kind text not null,
    made_by text not null,
    reason text,
    primary key (ledger_id, exclusion_id),
    constraint exclusion_has_player foreign key (ledger_id, player_id) references casino.players (ledger_id, player_id)
);
create index if not exists player_exclusions_of_player on casino.player_exclusions (ledger_id, player_id, made_at);
comment on column casino.player_exclusions.excluded_until is 'infinity: for ever.';
