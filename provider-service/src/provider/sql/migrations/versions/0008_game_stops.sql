-- Stopped games: `provider stop` and `provider resume` write, every process reads.

create table if not exists provider.game_stops (
    game_code text primary key,
    reason text not null,
    stopped_at timestamptz not null
);
comment on table provider.game_stops is 'Games that take no new round, and what players are told.';
grant select on provider.game_stops to provider_app;
