-- Events by month, snapshots of sessions, configurations of games.
-- Each step is a transaction of its own and holds at most one table that bets use. Every step may be run twice.

-- ---- Spins, and the games of providers (casino/play). ----

-- step: games that providers offer
-- What a provider says of its games in GET /v1/games. Games that can be launched are in casino.games.
create table if not exists casino.provider_games (
    provider_id text not null,
    game_code text not null,
    display_name text not null,
    expected_rtp numeric(9, 6),
    noted_at timestamptz not null,
    primary key (provider_id, game_code),
    constraint rtp_not_negative check (expected_rtp >= 0),
    constraint game_code_is_an_identifier check (game_code ~ '^[!-~]{1,128}$'),
    constraint game_name_is_short check (char_length(display_name) between 1 and 128)
);
comment on column casino.provider_games.expected_rtp is 'Null: the provider states none.';

-- step: tenants with every game of main
alter table casino.tenants add column if not exists takes_games_of_main boolean not null default false;
comment on column casino.tenants.takes_games_of_main is
    'It has every game of provider main, those to come too: casino.give_games.';

-- step: spins
-- What a player asked for under a spinId, and its answer for ever: see casino.begin_spin.
create table if not exists casino.spins (
    ledger_id integer not null,
    tenant_id text not null,
    player_id text collate "C" not null,
    spin_id text collate "C" not null,
    wallet_id bigint not null,
    stake_minor bigint not null,
    game_id text not null,
    game_code text not null,
    provider_id text,
    session_id uuid,
    attempt integer not null default 1,
    state text not null default 'ASKED',
    code text,
    sentence text,
    round_id text,
    win_minor bigint,
    balance_minor bigint,
    bonus_triggered boolean,
    events json,
    begun_at timestamptz not null,
    ended_at timestamptz,
    primary key (ledger_id, player_id, spin_id),
    constraint spin_has_wallet foreign key (ledger_id, wallet_id) references casino.wallets (ledger_id, wallet_id),
    constraint spin_has_session foreign key (ledger_id, session_id) references casino.game_sessions (ledger_id, session_id),
    constraint spin_state_known check (state in ('ASKED', 'REFUSED', 'PLAYED')),
    constraint spin_ends_once check ((state = 'ASKED') = (ended_at is null)),
    constraint refused_spin_has_code check ((state = 'REFUSED') = (code is not null)),
    constraint played_spin_has_round check (state <> 'PLAYED' or (
        round_id is not null and win_minor is not null and balance_minor is not null and bonus_triggered is not null
        and events is not null
    ))
);
comment on column casino.spins.session_id is 'Null: no ask of the provider is under way.';
comment on column casino.spins.attempt is
    'Spins that the provider was asked for: one more after one that ended without an outcome, such as a stake that was returned.';
comment on column casino.spins.code is 'Why it is refused for ever: a code of the platform with status 402 or 403.';

-- step: sessions of spins
-- The game session in which a player's spins of a game are played. Its token is derived: see casino.play.sessions.
create table if not exists casino.spin_sessions (
    ledger_id integer not null,
    tenant_id text not null,
    player_id text collate "C" not null,
    game_id text not null,
    session_id uuid not null,
    primary key (ledger_id, player_id, game_id),
    constraint spin_session_has_session foreign key (ledger_id, session_id)
    references casino.game_sessions (ledger_id, session_id)
);
