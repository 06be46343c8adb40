-- Reconciliation: the wallet's chain as its answers showed it, runs, and what they found.
-- The application role writes findings and closes them; a finding is never deleted and its text never changes.

set local statement_timeout = '60s';

-- What finds a tail that was cut off the wallet's chain: the head that each answer carried.
alter table provider.wallet_transactions
    add column head_sequence bigint,
    add column head_hash text,
    add constraint head_is_whole check ((head_sequence is null) = (head_hash is null)) not valid,
    add constraint head_looks_like_one check (head_sequence > 0 and head_hash ~ '^[0-9a-f]{64}$') not valid;

-- Sessions that may be stale, oldest first; a stopped one is never looked at again. Only launches write here, and they
-- wait for seconds.
-- squawk-ignore require-concurrent-index-creation
create index game_sessions_open_by_age on provider.game_sessions (created_at) where state = 'open';

create table provider.reconciliation_runs (
    run_id bigint generated always as identity primary key,
    ran_by text not null,
    scheduled_for timestamptz,
    heals boolean not null,
    started_at timestamptz not null,
    lease_until timestamptz not null,
    cursor text not null default '0',
    compared bigint not null default 0,
    open_count bigint not null default 0,
    found bigint not null default 0,
    healed bigint not null default 0,
    ended_at timestamptz,
    exit_status integer,
    failure text,
    constraint ended_run_has_an_exit check ((ended_at is null) = (exit_status is null)),
    constraint exit_status_known check (exit_status in (0, 1, 2)),
    constraint unfinished_run_says_why check ((exit_status = 2) = (failure is not null))
);
comment on column provider.reconciliation_runs.scheduled_for is 'The nightly moment that it ran for; null for one by hand.';
comment on column provider.reconciliation_runs.open_count is 'Transactions still under way when they were looked at: no differences.';
create unique index one_run_at_a_time on provider.reconciliation_runs ((true)) where ended_at is null;
create index reconciliation_runs_by_schedule on provider.reconciliation_runs (scheduled_for);

create table provider.reconciliation_differences (
    difference_id bigint generated always as identity primary key,
    run_id bigint not null references provider.reconciliation_runs (run_id),
    kind text not null,
    user_id text not null,
    transaction_id text not null,
    ours jsonb,
    theirs jsonb,
    proposed_repair text not null,
    found_at timestamptz not null,
    healed_at timestamptz,
    healed_by text,
    constraint difference_kind_known check (kind in (
        'missing_here', 'missing_there', 'player', 'kind', 'amount', 'currency', 'state', 'round', 'related',
        'balance', 'head', 'contradiction'
    )),
    constraint one_row_per_kind unique (run_id, user_id, transaction_id, kind),
    constraint healed_difference_says_how check ((healed_at is null) = (healed_by is null))
);
create index reconciliation_differences_by_transaction on provider.reconciliation_differences (transaction_id);

-- Which of our transactions the feed of the present run has shown. Scratch: it may be lost in a crash, the run with it.
create unlogged table provider.reconciliation_seen (
    transaction_id uuid primary key
);

-- A nightly run is missed only if it was due after the installation.
create table provider.reconciliation_schedule (
    installed_at timestamptz not null default clock_timestamp()
);
create unique index one_schedule on provider.reconciliation_schedule ((true));
insert into provider.reconciliation_schedule default values;

grant update (head_sequence, head_hash) on provider.wallet_transactions to provider_app;
grant select, insert, update (
    lease_until, cursor, compared, open_count, found, healed, ended_at, exit_status, failure
) on provider.reconciliation_runs to provider_app;
grant select, insert, update (healed_at, healed_by) on provider.reconciliation_differences to provider_app;
grant select, insert, truncate on provider.reconciliation_seen to provider_app;
grant select on provider.reconciliation_schedule to provider_app;
