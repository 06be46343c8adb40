-- Events by month, snapshots of sessions, configurations of games.
-- Each step is a transaction of its own and holds at most one table that bets use. Every step may be run twice.

-- ---- Events by month: 0020_events.py makes the table of these events the first partition. ----

-- step: the months that the events so far belong to
-- From the month of the oldest event to the end of the next one. Its check proves to the new table what it holds, so that nothing
-- is read while bets wait. It goes when the table is attached: until then, at least a month, it lets every bet pass.
do $$
declare
    v_oldest timestamptz;
begin
    set local timezone = 'UTC';
    set local datestyle = 'ISO';
    if exists (select from pg_class where oid = 'casino.ledger_events'::regclass and relkind = 'p') then
        return;
    end if;
    select min(oldest.at) into v_oldest
    from casino.ledgers as ledger
    cross join lateral (
        select event.at from casino.ledger_events as event where event.ledger_id = ledger.ledger_id order by event.at limit 1
    ) as oldest;
    execute format(
        'alter table casino.ledger_events drop constraint if exists events_are_of_months,'
        ' add constraint events_are_of_months check (at >= %L and at < %L) not valid',
        date_trunc('month', least(v_oldest, now())), date_trunc('month', now()) + interval '2 months'
    );
end;
$$;

-- step: the months are checked
-- Bets go on: this only holds off other changes of the table.
do $$
begin
    if exists (select from pg_constraint where conname = 'events_are_of_months' and not convalidated) then
        alter table casino.ledger_events validate constraint events_are_of_months;
    end if;
end;
$$;

-- step: a table by month in its place
-- Nothing is read or rewritten: bets wait for the catalogue alone.
do $$
declare
    v_bounds text[];
    v_first text;
begin
    set local timezone = 'UTC';
    set local datestyle = 'ISO';
    if exists (select from pg_class where oid = 'casino.ledger_events'::regclass and relkind = 'p') then
        return;
    end if;
    select array_agg(instant[1] order by place) into v_bounds
    from pg_constraint
    cross join lateral regexp_matches(pg_get_constraintdef(oid), '''([^'']+)''::timestamp', 'g') with ordinality as part (instant, place)
    where conname = 'events_are_of_months' and conrelid = 'casino.ledger_events'::regclass;
    v_first := to_char(v_bounds[1]::timestamptz, '"ledger_events_"YYYY_MM');

    execute format('alter table casino.ledger_events rename to %I', v_first);
    execute format('alter table casino.%I rename constraint ledger_events_pkey to %I', v_first, v_first || '_pkey');
    execute format(
        'create table casino.ledger_events ('
        ' like casino.%I including defaults including comments,'
        ' primary key (ledger_id, at, action_id, event_type, tenant_id),'
        ' constraint event_amount_not_negative check (amount_minor >= 0)'
        ') partition by range (at)', v_first
    );
    perform casino.copy_row_security(format('casino.%I', v_first)::regclass, 'casino.ledger_events');
    grant select on casino.ledger_events to casino_app, casino_ledger, casino_oversight;
    grant insert on casino.ledger_events to casino_ledger;
    execute format(
        'alter table casino.ledger_events attach partition casino.%I for values from (%L) to (%L)',
        v_first, v_bounds[1], v_bounds[2]
    );
    execute format('alter table casino.%I drop constraint events_are_of_months', v_first);

    -- For an event whose month nobody made: no bet is refused for it.
    create table casino.ledger_events_default (like casino.ledger_events including all);
    perform casino.copy_row_security('casino.ledger_events', 'casino.ledger_events_default');
    alter table casino.ledger_events attach partition casino.ledger_events_default default;
end;
$$;

-- step: since when events are kept
alter table casino.ledgers add column if not exists events_since timestamptz;
comment on column casino.ledgers.events_since is
    'Older events were detached: casino events detach. Null: none were. check-ledger asks for no older one.';

-- ---- Snapshots of sessions, configurations of games. ----

-- step: snapshots of sessions
create table if not exists casino.session_snapshots (
    ledger_id integer not null,
    tenant_id text not null,
    session_id text not null,
    player_id text,
    started_at timestamptz not null,
    last_at timestamptz not null,
    events bigint not null,
    bets bigint not null,
    rolled_back_bets bigint not null,
    staked_minor bigint not null,
    rolled_back_minor bigint not null,
    paid_minor bigint not null,
    currency text not null,
    primary key (ledger_id, tenant_id, session_id)
);
create index if not exists session_snapshots_started on casino.session_snapshots (ledger_id, started_at);
comment on table casino.session_snapshots is
    'What casino.ledger_events tells of each play session, or of a game session outside one: casino.fold_sessions.';

-- step: how far the snapshots go
create table if not exists casino.session_folds (
    ledger_id integer primary key references casino.ledgers (ledger_id),
    folded_to timestamptz not null
);
comment on column casino.session_folds.folded_to is 'Events before this instant are in casino.session_snapshots.';

-- step: lines of an import
-- What `casino events import` compares with all events. Empty at any other time: nothing is lost with it.
create unlogged table if not exists casino.import_lines (
    line_no bigint primary key,
    tenant text not null,
    event_type text not null,
    action_id text not null,
    at timestamptz not null,
    player_id text,
    session_id text,
    round_id text,
    game_key text,
    provider_id text,
    region text,
    agent_id text,
    cashier_id text,
    amount_minor bigint not null,
    currency text not null,
    code text,
    route text,
    is_known boolean not null default false
);

-- step: configurations of games
create table if not exists casino.game_configs (
    ledger_id integer not null,
    tenant_id text not null,
    game_key text not null,
    since timestamptz not null,
    expected_rtp numeric(9, 6) not null,
    stated_by text not null,
    primary key (ledger_id, tenant_id, game_key, since),
    constraint rtp_is_a_fraction check (expected_rtp >= 0),
    constraint rtp_is_stated_by check (stated_by in ('provider', 'operator'))
);
comment on column casino.game_configs.expected_rtp is
    'What the game pays back of each stake in the long run, as a fraction, from `since` until the next row.';

-- ---- Spins, and the games of providers (casino/play). ----

-- step: games that providers offer
-- What a provider says of its games in GET /v1/games. Games that can be launched are in casino.games.
create table if not exists casino.provider_games (
    provider_id text not null,
    game_code text not null,
    display_name text not null,
    expected_rtp numeric(9, 6),
    max_win_minor bigint,
    noted_at timestamptz not null,
    primary key (provider_id, game_code),
    constraint rtp_not_negative check (expected_rtp >= 0),
    constraint max_win_positive check (max_win_minor > 0),
    constraint game_code_is_an_identifier check (game_code ~ '^[!-~]{1,128}$'),
    constraint game_name_is_short check (char_length(display_name) between 1 and 128)
);
comment on column casino.provider_games.expected_rtp is 'Null: the provider states none.';
comment on column casino.provider_games.max_win_minor is 'The most that a round may pay. Null: the provider states none.';

-- step: tenants with every game of main
alter table casino.tenants add column if not exists takes_games_of_main boolean not null default false;
comment on column casino.tenants.takes_games_of_main is
    'It has every game of provider main, those to come too: casino.give_games.';

-- step: spins
-- What a player asked for under a spinId, and its answer for ever: see casino.begin_spin.
create table if not exists casino.spins (
    ledger_id integer not null,
    tenant_id text not null,
    player_id text not null,
    spin_id text not null,
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
    player_id text not null,
    game_id text not null,
    session_id uuid not null,
    primary key (ledger_id, player_id, game_id),
    constraint spin_session_has_session foreign key (ledger_id, session_id)
    references casino.game_sessions (ledger_id, session_id)
);
