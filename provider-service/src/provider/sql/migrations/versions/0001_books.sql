-- The provider's books: players, game sessions, rounds, every call to a wallet that moves money, and used nonces.
-- Money columns are written once, with the intent. The application role can change only the columns that tell how a
-- call went, and can delete nothing but nonces.

set local statement_timeout = '60s';

create table provider.players (
    player_id bigint generated always as identity primary key,
    casino_code text not null,
    user_id text not null,
    created_at timestamptz not null default clock_timestamp(),
    constraint one_player_per_casino_user unique (casino_code, user_id)
);

create table provider.game_sessions (
    provider_session_id uuid primary key,
    casino_code text not null,
    casino_session_id text not null,
    player_id bigint not null references provider.players (player_id),
    user_id text not null,
    game_code text not null,
    currency text not null,
    token_sealed bytea not null,
    state text not null default 'open',
    stopped_code text,
    created_at timestamptz not null default clock_timestamp(),
    stopped_at timestamptz,
    constraint one_session_per_casino_session unique (casino_code, casino_session_id),
    constraint session_state_known check (state in ('open', 'stopped')),
    constraint stopped_session_says_why check ((state = 'stopped') = (stopped_code is not null)),
    constraint currency_is_iso_like check (currency ~ '^[A-Z0-9]{3,8}$')
);
comment on column provider.game_sessions.token_sealed is
    'The wallet''s session token, encrypted: never in clear in a table.';

create table provider.rounds (
    round_id uuid primary key,
    provider_session_id uuid not null references provider.game_sessions (provider_session_id),
    kind text not null,
    state text not null default 'open',
    ended_code text,
    lease_until timestamptz not null,
    request_id text,
    created_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    constraint round_state_known check (state in ('open', 'settled', 'voided')),
    constraint ended_round_has_an_end check ((state = 'open') = (ended_at is null))
);
comment on column provider.rounds.lease_until is
    'Until then a live worker plays the round; an open round past it is abandoned.';
create index rounds_open_by_lease on provider.rounds (lease_until) where state = 'open';
create index rounds_by_session on provider.rounds (provider_session_id);

create table provider.wallet_transactions (
    transaction_id uuid primary key,
    kind text not null,
    reason text not null,
    provider_session_id uuid not null references provider.game_sessions (provider_session_id),
    round_id uuid not null references provider.rounds (round_id),
    amount_minor bigint not null,
    currency text not null,
    related_transaction_id uuid,
    original_transaction_id uuid,
    rollback_transaction_id uuid,
    end_round boolean not null default false,
    request_id text,
    created_at timestamptz not null default clock_timestamp(),
    state text not null default 'pending',
    due_at timestamptz,
    deliveries bigint not null default 0,
    attempts bigint not null default 0,
    in_doubt_at timestamptz,
    outcome_code text,
    difference_code text,
    tombstone boolean not null default false,
    balance_after_minor bigint,
    answered_at timestamptz,
    ended_at timestamptz,
    constraint transaction_kind_known check (kind in ('debit', 'credit', 'rollback')),
    constraint transaction_state_known check (state in ('pending', 'committed', 'settled', 'rolled_back', 'refused')),
    constraint only_debits_settle_or_roll_back check (kind = 'debit' or state in ('pending', 'committed', 'refused')),
    constraint debit_moves_money check (kind <> 'debit' or amount_minor > 0),
    constraint amount_not_negative check (amount_minor >= 0),
    constraint balance_not_negative check (balance_after_minor >= 0),
    constraint debit_knows_its_rollback check ((kind = 'debit') = (rollback_transaction_id is not null)),
    constraint rollback_names_its_bet check ((kind = 'rollback') = (original_transaction_id is not null)),
    constraint credit_answers_a_bet check ((kind = 'credit') = (related_transaction_id is not null)),
    constraint only_debits_are_in_doubt check (kind = 'debit' or in_doubt_at is null),
    constraint pending_is_pursued check (state <> 'pending' or (due_at is null) = (in_doubt_at is not null)),
    constraint ended_is_not_pursued check (state = 'pending' or due_at is null)
);
comment on column provider.wallet_transactions.due_at is
    'While a live call owns the row: the end of its lease. After an unknown outcome: the next attempt. '
    'Null for a debit in doubt, which its rollback pursues.';
comment on column provider.wallet_transactions.deliveries is
    'Calls that ended with an outcome, known or not; each made one or more HTTP attempts.';
comment on column provider.wallet_transactions.rollback_transaction_id is
    'The id that a rollback of this debit has, whoever sends it: a UUIDv5 of the debit''s id, fixed with the intent.';
comment on column provider.wallet_transactions.difference_code is
    'Set when the wallet''s decision contradicts these books: reconciliation reports it.';
create index wallet_transactions_due on provider.wallet_transactions (due_at)
    where state = 'pending' and due_at is not null;
create index wallet_transactions_pending_by_session on provider.wallet_transactions (provider_session_id)
    where state = 'pending';
create index wallet_transactions_by_round on provider.wallet_transactions (round_id);
create index wallet_transactions_different on provider.wallet_transactions (transaction_id)
    where difference_code is not null;

create table provider.wallet_attempts (
    attempt_id bigint generated always as identity primary key,
    transaction_id uuid not null references provider.wallet_transactions (transaction_id),
    sent_at timestamptz not null,
    elapsed_ms bigint not null,
    status bigint,
    code text,
    signature text not null,
    failure text,
    constraint signature_verdict_known check (signature in ('good', 'missing', 'bad', 'none'))
);
comment on table provider.wallet_attempts is
    'One row for each HTTP attempt, up to a bound for each transaction: what support reads.';
create index wallet_attempts_by_transaction on provider.wallet_attempts (transaction_id);

create table provider.nonces (
    key_id text not null,
    nonce text not null,
    seen_at timestamptz not null,
    primary key (key_id, nonce)
);
create index nonces_by_age on provider.nonces (seen_at);

create table provider.applied_sql_files (
    path text primary key,
    sha256 text not null,
    applied_at timestamptz not null default clock_timestamp()
);

grant usage on schema provider to provider_app;
grant select on provider.alembic_version to provider_app;
grant select, insert on provider.players to provider_app;
grant select, insert, update (state, stopped_code, stopped_at) on provider.game_sessions to provider_app;
grant select, insert, update (state, ended_code, ended_at, lease_until) on provider.rounds to provider_app;
grant select, insert, update (
    state, due_at, deliveries, attempts, in_doubt_at, outcome_code, difference_code, tombstone, balance_after_minor,
    answered_at, ended_at
) on provider.wallet_transactions to provider_app;
grant select, insert on provider.wallet_attempts to provider_app;
-- The right to update a column is what `for update skip locked` needs: no statement updates a nonce.
grant select, insert, delete, update (seen_at) on provider.nonces to provider_app;
