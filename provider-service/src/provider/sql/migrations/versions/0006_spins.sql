-- Slots. All rows but a seed's counter are written once: the application role can neither change nor delete them.

create table if not exists provider.configurations (
    configuration_hash text primary key,
    game_code text not null,
    version bigint not null,
    document bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    constraint configuration_has_its_hash check (configuration_hash = encode(sha256(document), 'hex'))
);
comment on table provider.configurations is 'What ruled rounds, as the bytes that are served under their hash, for ever.';

create table if not exists provider.server_seeds (
    seed_id uuid primary key,
    player_id bigint not null references provider.players (player_id),
    game_code text not null,
    seed_sealed bytea not null,
    seed_sha256 text not null,
    next_counter bigint not null default 0,
    round_id uuid,
    created_at timestamptz not null default clock_timestamp(),
    retired_at timestamptz,
    constraint seed_hash_is_sha256 check (seed_sha256 ~ '^[0-9a-f]{64}$'),
    constraint counter_not_negative check (next_counter >= 0)
);
comment on table provider.server_seeds is
    'The secret of a player''s draws in a game. Its hash is stored before its first use.';
comment on column provider.server_seeds.round_id is
    'The last round that was opened with this seed. While it is open no other one is: its draw has the next counter.';
create unique index if not exists one_seed_in_use on provider.server_seeds (player_id, game_code)
where retired_at is null;

create table if not exists provider.spins (
    player_id bigint not null references provider.players (player_id),
    spin_id text not null,
    round_id uuid not null references provider.rounds (round_id),
    debit_id uuid not null,
    game_code text not null,
    stake_minor bigint not null,
    seed_id uuid not null references provider.server_seeds (seed_id),
    client_seed text not null,
    counter bigint not null,
    configuration_hash text not null references provider.configurations (configuration_hash),
    created_at timestamptz not null default clock_timestamp(),
    constraint one_spin_per_id primary key (player_id, spin_id),
    constraint one_spin_per_round unique (round_id),
    constraint spin_id_is_plain check (spin_id ~ '^[0-9A-Za-z_-]{1,64}$'),
    constraint client_seed_is_plain check (client_seed ~ '^[0-9A-Za-z_-]{1,64}$'),
    constraint stake_is_positive check (stake_minor > 0)
);
comment on table provider.spins is 'What was asked for, and what its draw will be made from; written with the round.';

create table if not exists provider.draws (
    round_id uuid primary key references provider.spins (round_id),
    payout_id uuid not null,
    seed_id uuid not null,
    counter bigint not null,
    events json not null,
    created_at timestamptz not null default clock_timestamp(),
    constraint no_counter_twice unique (seed_id, counter)
);
comment on table provider.draws is 'The outcome of a spin whose debit was accepted, written with the intent of its payout.';

create table if not exists provider.spin_refusals (
    round_id uuid primary key references provider.spins (round_id),
    status bigint not null,
    code text not null,
    sentence text not null,
    player_message text,
    created_at timestamptz not null default clock_timestamp()
);
comment on table provider.spin_refusals is 'What the wallet said when it refused a spin''s debit: the answer of that spin for ever.';

grant select, insert on provider.configurations, provider.spins, provider.draws, provider.spin_refusals to provider_app;
grant select, insert, update (next_counter, round_id, retired_at) on provider.server_seeds to provider_app;
-- The right to update a column is what `for no key update` needs: no statement updates a player.
grant update (created_at) on provider.players to provider_app;
