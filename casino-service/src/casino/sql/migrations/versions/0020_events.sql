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
