-- Play: launch codes, play tokens, what a launch says about the page, the player's client seed, and demo play.
-- Each step is a transaction of its own and may be run twice.

-- step: what a launch says about the page
alter table provider.game_sessions add column if not exists max_win_minor bigint;
alter table provider.game_sessions add column if not exists lobby_url text;
alter table provider.game_sessions add column if not exists cashier_url text;
alter table provider.game_sessions add column if not exists language text;
comment on column provider.game_sessions.max_win_minor is 'The casino''s cap of a round, beside that of the configuration.';
grant update (max_win_minor, lobby_url, cashier_url, language) on provider.game_sessions to provider_app;

-- step: client seeds
alter table provider.server_seeds add column if not exists client_seed text;
comment on column provider.server_seeds.client_seed is 'What the player has set; without it a spin''s id is its client seed.';
alter table provider.server_seeds add column if not exists earlier_round_id uuid;
comment on column provider.server_seeds.earlier_round_id is
    'The last round of the seed before, so that a rotation does not shorten the time between two rounds.';
grant update (client_seed) on provider.server_seeds to provider_app;

-- step: codes and tokens
create table if not exists provider.launch_codes (
    code_sha256 text primary key,
    provider_session_id uuid not null references provider.game_sessions (provider_session_id),
    expires_at timestamptz not null,
    used_at timestamptz
);
comment on table provider.launch_codes is 'One-time codes in the fragments of launch URLs, as hashes.';
create index if not exists launch_codes_by_end on provider.launch_codes (expires_at);

create table if not exists provider.play_tokens (
    token_sha256 text primary key,
    provider_session_id uuid not null references provider.game_sessions (provider_session_id),
    user_agent_sha256 text not null,
    network text not null,
    created_at timestamptz not null default clock_timestamp()
);
comment on table provider.play_tokens is 'What a game page sends, as hashes. A token is good while its session is open.';
create index if not exists play_tokens_by_age on provider.play_tokens (created_at);

-- step: demo play
create table if not exists provider.demo_sessions (
    demo_id uuid primary key,
    token_sha256 text not null,
    user_agent_sha256 text not null,
    casino_code text not null,
    game_code text not null,
    balance_minor bigint not null,
    seed_sealed bytea not null,
    seed_sha256 text not null,
    client_seed text,
    next_counter bigint not null default 0,
    created_at timestamptz not null default clock_timestamp(),
    constraint one_demo_per_token unique (token_sha256),
    constraint demo_balance_not_negative check (balance_minor >= 0)
);
comment on table provider.demo_sessions is 'Demo play: FUN in these books alone. No wallet knows of it; rows are pruned.';
create index if not exists demo_sessions_by_age on provider.demo_sessions (created_at);

create table if not exists provider.demo_rounds (
    round_id uuid primary key,
    demo_id uuid not null references provider.demo_sessions (demo_id) on delete cascade,
    spin_id text not null,
    stake_minor bigint not null,
    win_minor bigint not null,
    balance_after_minor bigint not null,
    seed_sealed bytea not null,
    seed_sha256 text not null,
    client_seed text not null,
    counter bigint not null,
    configuration_hash text not null references provider.configurations (configuration_hash),
    events json not null,
    created_at timestamptz not null default clock_timestamp(),
    constraint one_demo_round_per_spin unique (demo_id, spin_id),
    constraint no_demo_counter_twice unique (demo_id, seed_sha256, counter)
);
comment on table provider.demo_rounds is 'Rounds of demo play, with the same mathematics.';

-- `for update` needs the right to update a column.
grant select, insert, delete, update (used_at) on provider.launch_codes to provider_app;
grant select, insert, delete, update (network) on provider.play_tokens to provider_app;
grant select, insert, delete, update (balance_minor, seed_sealed, seed_sha256, client_seed, next_counter)
on provider.demo_sessions to provider_app;
grant select, insert, delete on provider.demo_rounds to provider_app;
