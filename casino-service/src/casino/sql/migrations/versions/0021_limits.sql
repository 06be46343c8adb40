-- Limits of players inside the debit.
-- Each step is a transaction of its own and holds at most one table that bets use. Every step may be run twice.

-- step: wallets
alter table casino.wallets
add column if not exists has_limits boolean not null default false,
add column if not exists stopped_play_session_id uuid;
comment on column casino.wallets.has_limits is 'Its row of casino.limit_counters is to be read and moved by every bet.';
comment on column casino.wallets.stopped_play_session_id is 'A play session that the risk engine ended: its bets are refused until it is over.';

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

-- step: types
do $$
begin
    if not exists (
        select from pg_attribute
        where attrelid = 'casino.seen_command'::regclass and attname = 'has_limits' and not attisdropped
    ) then
        -- counter_row: the place of the wallet's row in casino.limit_counters; null: no bet of the wallet is counted.
        -- played_from: since when play is not yet counted as played time.
        alter type casino.seen_command
        add attribute play_session_id uuid, add attribute has_limits boolean, add attribute over_time_limit boolean,
        add attribute counter_row tid, add attribute played_from timestamptz, add attribute bet_recorded_at timestamptz;
        -- ends_round: its first credit, or the rollback of its last bet. bet_recorded_at: of the bet that a rollback takes back.
        alter type casino.judgement
        add attribute play_session_id uuid, add attribute has_limits boolean, add attribute counter_row tid,
        add attribute played_from timestamptz, add attribute ends_round boolean, add attribute bet_recorded_at timestamptz;
    end if;
end;
$$;
