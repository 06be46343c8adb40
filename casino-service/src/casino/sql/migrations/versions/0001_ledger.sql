-- The ledger: tenants, players, wallets, game sessions, rounds, transactions, postings, events.
-- Money rows are keyed (ledger_id, wallet_id, ...): a ledger is self-contained and can be placed on a machine of its own.

create table casino.tenants (
    tenant_id text primary key,
    display_name text not null,
    created_at timestamptz not null default clock_timestamp()
);

create table casino.ledgers (
    ledger_id integer primary key,
    tenant_id text not null references casino.tenants (tenant_id),
    created_at timestamptz not null default clock_timestamp()
);

create table casino.games (
    tenant_id text not null references casino.tenants (tenant_id),
    game_id text not null,
    game_code text not null,
    display_name text not null,
    stake_min_minor bigint not null,
    stake_max_minor bigint not null,
    win_cap_minor bigint,
    disabled_at timestamptz,
    primary key (tenant_id, game_id),
    constraint game_code_unique_per_tenant unique (tenant_id, game_code),
    constraint stake_range_ordered check (0 < stake_min_minor and stake_min_minor <= stake_max_minor),
    constraint win_cap_positive check (win_cap_minor > 0)
);
comment on column casino.games.win_cap_minor is 'Most that one round may pay, in minor units; null: no cap.';

-- A player has one wallet, in one currency, in the ledger that the player is born into: see the decision record.
create table casino.wallets (
    ledger_id integer not null references casino.ledgers (ledger_id),
    wallet_id bigint not null generated always as identity,
    tenant_id text not null references casino.tenants (tenant_id),
    player_id text not null,
    player_name text not null,
    currency text not null,
    balance_minor bigint not null default 0,
    sequence_no bigint not null default 0,
    blocked_at timestamptz,
    excluded_until timestamptz,
    cooldown_until timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    primary key (ledger_id, wallet_id),
    constraint one_wallet_per_player unique (ledger_id, tenant_id, player_id),
    constraint balance_not_negative check (balance_minor >= 0),
    constraint sequence_not_negative check (sequence_no >= 0),
    constraint currency_is_iso_like check (currency ~ '^[A-Z0-9]{3,8}$')
) with (fillfactor = 60);
comment on column casino.wallets.sequence_no is 'Number of the wallet''s newest committed transaction; gap-free from 1.';

create table casino.game_sessions (
    ledger_id integer not null,
    session_id uuid not null,
    tenant_id text not null references casino.tenants (tenant_id),
    wallet_id bigint not null,
    player_id text not null,
    game_id text not null,
    game_code text not null,
    currency text not null,
    token_hash bytea not null,
    provider_session_id text,
    country text,
    client_address inet,
    stake_min_minor bigint not null,
    stake_max_minor bigint not null,
    win_cap_minor bigint,
    loss_limit_minor bigint,
    staked_minor bigint not null default 0,
    paid_minor bigint not null default 0,
    opened_at timestamptz not null,
    expires_at timestamptz not null,
    closed_at timestamptz,
    primary key (ledger_id, session_id),
    constraint session_token_unique unique (ledger_id, token_hash),
    constraint session_has_wallet foreign key (ledger_id, wallet_id) references casino.wallets (ledger_id, wallet_id),
    constraint session_has_game foreign key (tenant_id, game_id) references casino.games (tenant_id, game_id)
) with (fillfactor = 60);
comment on column casino.game_sessions.token_hash is 'SHA-256 of the session token; the token itself is never stored.';
comment on column casino.game_sessions.loss_limit_minor is 'Most that the player may lose in this session (stakes minus payouts); null: no limit.';

create table casino.rounds (
    ledger_id integer not null,
    wallet_id bigint not null,
    round_id text not null,
    tenant_id text not null,
    session_id uuid not null,
    live_debits integer not null default 0,
    credits integer not null default 0,
    staked_minor bigint not null default 0,
    paid_minor bigint not null default 0,
    opened_at timestamptz not null,
    closed_at timestamptz,
    primary key (ledger_id, wallet_id, round_id),
    constraint round_has_session foreign key (ledger_id, session_id) references casino.game_sessions (ledger_id, session_id),
    constraint live_debits_not_negative check (live_debits >= 0)
) with (fillfactor = 80);
comment on column casino.rounds.live_debits is 'Committed debits of the round that were not rolled back.';

create table casino.transactions (
    ledger_id integer not null,
    wallet_id bigint not null,
    transaction_id text not null,
    tenant_id text not null,
    kind text not null,
    session_id uuid,
    round_id text,
    amount_minor bigint not null,
    currency text not null,
    related_transaction_id text,
    state text not null,
    refusal_code text,
    balance_after_minor bigint not null,
    sequence_no bigint,
    tombstone boolean not null default false,
    already_rolled_back boolean not null default false,
    reason text,
    request_id text not null,
    feed_position bigint,
    recorded_at timestamptz not null,
    primary key (ledger_id, wallet_id, transaction_id),
    constraint transaction_kind_known check (kind in ('debit', 'credit', 'rollback', 'deposit')),
    constraint transaction_state_known check (state in ('committed', 'rolled_back', 'refused')),
    constraint only_debits_roll_back check (state <> 'rolled_back' or kind = 'debit'),
    constraint refusal_has_code check ((state = 'refused') = (refusal_code is not null)),
    constraint wire_transactions_are_fed check ((kind = 'deposit') = (feed_position is null)),
    constraint committed_is_numbered check ((state = 'refused') = (sequence_no is null)),
    constraint amount_not_negative check (amount_minor >= 0),
    constraint balance_after_not_negative check (balance_after_minor >= 0),
    constraint transaction_has_wallet foreign key (ledger_id, wallet_id) references casino.wallets (ledger_id, wallet_id)
) with (fillfactor = 90);
create unique index transactions_feed on casino.transactions (ledger_id, feed_position);
comment on column casino.transactions.related_transaction_id is 'Of a credit: the debit that it answers; of a rollback: the debit that it reverses.';
comment on column casino.transactions.feed_position is 'Commit-ordered cursor of the feed: see casino.feed_position().';
comment on column casino.transactions.amount_minor is 'What moved (debit, credit, deposit, rollback), or was asked for (refused). A tombstone moved 0.';

-- A rollback of a bet never seen: occupies the debit's id for ever.
create table casino.tombstones (
    ledger_id integer not null,
    wallet_id bigint not null,
    transaction_id text not null,
    tenant_id text not null,
    rollback_transaction_id text not null,
    round_id text not null,
    recorded_at timestamptz not null,
    primary key (ledger_id, wallet_id, transaction_id),
    constraint tombstone_has_rollback foreign key (ledger_id, wallet_id, rollback_transaction_id)
        references casino.transactions (ledger_id, wallet_id, transaction_id)
);

-- Double entry: every transaction that moves money has one posting on the wallet and its opposite on a house account.
create table casino.postings (
    ledger_id integer not null,
    wallet_id bigint not null,
    transaction_id text not null,
    account text not null,
    tenant_id text not null,
    amount_minor bigint not null,
    currency text not null,
    primary key (ledger_id, wallet_id, transaction_id, account),
    constraint account_known check (account in ('wallet', 'house_games', 'house_cash')),
    constraint posting_moves_money check (amount_minor <> 0),
    constraint posting_has_transaction foreign key (ledger_id, wallet_id, transaction_id)
        references casino.transactions (ledger_id, wallet_id, transaction_id)
);
comment on column casino.postings.account is
    'wallet: the player''s; house_games: stakes and payouts of the tenant; house_cash: money that came in from outside.';

-- The telemetry stream that analytics and player safety read, in the order of the feed; committed with the money that it
-- tells of. Its key only ever grows at the end: on a large ledger that is what keeps it from slowing bets down.
create table casino.events (
    ledger_id integer not null,
    feed_position bigint not null,
    wallet_id bigint not null,
    transaction_id text not null,
    tenant_id text not null,
    event_type text not null,
    session_id uuid,
    round_id text,
    game_code text,
    amount_minor bigint not null,
    currency text not null,
    recorded_at timestamptz not null,
    primary key (ledger_id, feed_position)
);

-- What casino.judge_wallet_commands says of one command, and casino.execute_wallet_commands books.
create type casino.judged_command as (
    place integer, kind text, transaction_id text, round_id text, amount_minor bigint, related_id text,
    end_round boolean, reason text, request_id text,
    tenant_id text, wallet_id bigint, session_id uuid, session_alive boolean, game_code text, currency text,
    balance_minor bigint, sequence_no bigint, wallet_row tid, round_row tid, bet_row tid,
    outcome text, code text, field text, remembered boolean, replay boolean, delta_minor bigint,
    answer_balance_minor bigint, tombstone boolean, already_rolled_back boolean, answer_request_id text
);

-- Which functions and views stand in the database: casino.migrate applies them again when their digest changes.
create table casino.applied_sql (digest text primary key);
