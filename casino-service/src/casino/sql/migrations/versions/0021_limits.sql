-- Limits of players inside the debit.
-- Each step is a transaction of its own and holds at most one table that bets use. Every step may be run twice.

-- step: wallets
alter table casino.wallets
add column if not exists has_limits boolean not null default false,
add column if not exists stopped_play_session_id uuid;
comment on column casino.wallets.has_limits is 'Its row of casino.limit_counters is to be read and moved by every bet.';
comment on column casino.wallets.stopped_play_session_id is 'A play session that the risk engine ended: its bets are refused until it is over.';

-- step: counters
-- The limits in force of a wallet that has any for losses or time, and what counts against them. A bet reads and writes its wallet's
-- row under the wallet's lock (casino.limits_of_bet, casino.count_play).
create table if not exists casino.limit_counters (
    ledger_id integer not null,
    wallet_id bigint not null,
    tenant_id text not null,
    day_loss_max_minor numeric,
    week_loss_max_minor numeric,
    month_loss_max_minor numeric,
    day_time_max interval,
    week_time_max interval,
    month_time_max interval,
    day_from timestamptz not null,
    day_until timestamptz not null,
    week_from timestamptz not null,
    week_until timestamptz not null,
    month_from timestamptz not null,
    month_until timestamptz not null,
    day_loss_minor numeric not null,
    week_loss_minor numeric not null,
    month_loss_minor numeric not null,
    day_played interval not null,
    week_played interval not null,
    month_played interval not null,
    played_until timestamptz,
    play_session_id uuid,
    session_loss_minor numeric not null,
    primary key (ledger_id, wallet_id),
    constraint counters_have_wallet foreign key (ledger_id, wallet_id) references casino.wallets (ledger_id, wallet_id)
) with (fillfactor = 50);
comment on column casino.limit_counters.day_until is 'From here on its counters are 0, and the day is another one: of the tenant''s time zone then.';
comment on column casino.limit_counters.day_loss_minor is 'Stakes minus payouts, below 0 for a player who is ahead.';
comment on column casino.limit_counters.played_until is 'The newest bet: until then played time is counted.';
comment on column casino.limit_counters.play_session_id is 'The play session that session_loss_minor is of.';

-- step: play sessions
alter table casino.play_sessions
add column if not exists loss_limit_minor bigint,
-- squawk-ignore ban-drop-constraint
drop constraint if exists play_session_limit_not_negative,
add constraint play_session_limit_not_negative check (loss_limit_minor >= 0) not valid;
comment on column casino.play_sessions.loss_limit_minor is 'What may not be lost in it: a bet that would reach it is refused. Null: no such limit.';

-- step: play sessions are checked
alter table casino.play_sessions
-- squawk-ignore constraint-missing-not-valid
validate constraint play_session_limit_not_negative;

-- step: limits of play sessions stand among the player's
alter table casino.player_limits
add column if not exists play_session_id uuid,
-- squawk-ignore ban-drop-constraint
drop constraint if exists limit_period_known,
add constraint limit_period_known check (period in ('day', 'week', 'month', 'session')) not valid,
-- squawk-ignore ban-drop-constraint
drop constraint if exists limit_of_session_has_session,
add constraint limit_of_session_has_session check ((period = 'session') = (play_session_id is not null)) not valid;
comment on column casino.player_limits.play_session_id is 'Of period session: the play session that it is of, and ends with.';

-- step: limits of players are checked
alter table casino.player_limits
-- squawk-ignore constraint-missing-not-valid
validate constraint limit_period_known,
-- squawk-ignore constraint-missing-not-valid
validate constraint limit_of_session_has_session;

-- step: game sessions
alter table casino.game_sessions
add column if not exists earlier_loss_minor bigint not null default 0;
comment on column casino.game_sessions.earlier_loss_minor is 'Stakes minus payouts when it joined its play session: of the one before.';

-- step: spins
alter table casino.spins
add column if not exists may_be_played boolean not null default false;
comment on column casino.spins.may_be_played is 'Its session was lost: the provider may have played it under this attempt.';

-- step: types
do $$
begin
    if not exists (
        select from pg_attribute
        where attrelid = 'casino.seen_command'::regclass and attname = 'has_limits' and not attisdropped
    ) then
        -- counter_row: the place of the wallet's row in casino.limit_counters; null: no bet of the wallet is counted.
        -- counter_is_old: its day is over. played_from: since when play is not yet counted as played time.
        alter type casino.seen_command
        add attribute play_session_id uuid, add attribute has_limits boolean, add attribute over_time_limit boolean,
        add attribute counter_row tid, add attribute counter_is_old boolean, add attribute played_from timestamptz,
        add attribute bet_recorded_at timestamptz;
        -- ends_round: its first credit, or the rollback of its last bet. bet_recorded_at: of the bet that a rollback takes back.
        alter type casino.judgement
        add attribute play_session_id uuid, add attribute has_limits boolean, add attribute counter_row tid,
        add attribute counter_is_old boolean, add attribute played_from timestamptz, add attribute ends_round boolean,
        add attribute bet_recorded_at timestamptz;
    end if;
end;
$$;
