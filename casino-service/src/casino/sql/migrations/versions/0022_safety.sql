-- The risk engine and its actions.
-- Each step is a transaction of its own and holds at most one table that bets use. Every step may be run twice.

-- step: the order of rounds
-- Drawn under the wallet's lock, so that it orders a wallet's rounds also where two have the same instant.
create sequence if not exists casino.round_openings;
grant usage on sequence casino.round_openings to casino_ledger;

-- step: rounds
alter table casino.rounds
add column if not exists ended_at timestamptz,
add column if not exists opening_no bigint;
alter table casino.rounds
alter column opening_no set default nextval('casino.round_openings');
comment on column casino.rounds.ended_at is 'When its first credit landed, or its last bet was rolled back. Null: it runs.';
comment on column casino.rounds.opening_no is 'Grows with the rounds of a wallet. Null: of a release before.';

-- step: actions
create table if not exists casino.safety_actions (
    ledger_id integer not null,
    action_id bigint not null generated always as identity,
    tenant_id text not null,
    player_id text not null,
    wallet_id bigint not null,
    play_session_id uuid,
    at timestamptz not null,
    action_type text not null,
    score integer not null,
    band text not null,
    reasons text[] not null,
    evidence jsonb not null,
    shown_at timestamptz,
    primary key (ledger_id, action_id),
    constraint safety_action_has_wallet foreign key (ledger_id, wallet_id) references casino.wallets (ledger_id, wallet_id),
    constraint safety_action_type_known check (action_type in ('NUDGE', 'COOLDOWN', 'STOP')),
    constraint safety_action_score_capped check (score between 0 and 100),
    constraint safety_action_has_reason check (cardinality(reasons) > 0)
);
create index if not exists safety_actions_of_session on casino.safety_actions (ledger_id, play_session_id, action_type, at);
create index if not exists safety_actions_of_player on casino.safety_actions (ledger_id, player_id, at desc, action_id desc);
create index if not exists safety_actions_newest on casino.safety_actions (ledger_id, tenant_id, at desc, action_id desc);
comment on table casino.safety_actions is 'What was done because of how a player plays, with the evidence.';
comment on column casino.safety_actions.play_session_id is 'Null: of a bet in a game session without a play session.';
comment on column casino.safety_actions.shown_at is 'When an answer showed it to the player. Null: none did yet.';

-- step: who made limits what they are
alter table casino.player_limits
add column if not exists confirmed_at timestamptz,
add column if not exists replaced_at timestamptz,
add column if not exists reason text;
comment on column casino.player_limits.confirmed_at is 'When the player confirmed it. Null: it needed no confirmation, or has none yet.';
comment on column casino.player_limits.replaced_at is 'When another limit or wish took its place.';
comment on column casino.player_limits.reason is 'Why staff lowered it. Null: the player asked for it.';

-- step: for how long an exclusion was asked for
alter table casino.player_exclusions
add column if not exists period text;
comment on column casino.player_exclusions.period is 'P7D, P1M, P6M or PERMANENT. Null: of a release before.';
