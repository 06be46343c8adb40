-- The ledger kernel, the tree of tenants and the ids of providers.
-- Each step is a transaction of its own and holds at most one table that bets use: a bet waits for moments. Nothing is
-- rewritten. Every step may be run twice.
-- The release before goes on booking on this schema, first by its own functions and then by ours, so what these need stays
-- until the next release: the table casino.events, the type casino.judged_command, and their functions.

-- step: reference tables
create table if not exists casino.accounts (
    account text primary key,
    meaning text not null,
    clears boolean not null default false
);
comment on column casino.accounts.clears is 'What one call of casino.book_entries posts on it sums to zero.';
insert into casino.accounts (account, meaning, clears) values
('wallet', 'the wallet that the entry moves', false),
('house_games', 'stakes and payouts of the tenant', false),
('house_cash', 'money that came in from outside or went out', false),
('house_adjustments', 'corrections by staff', false),
('in_transit', 'money between two wallets', true)
on conflict do nothing;

create table if not exists casino.entry_kinds (
    entry_kind text primary key,
    direction smallint not null,
    accounts text[] not null,
    is_fed boolean not null default false,
    remembers_refusals boolean not null default false,
    event_type text,
    constraint direction_known check (direction in (-1, 1)),
    constraint house_account_named check (cardinality(accounts) > 0)
);
comment on column casino.entry_kinds.direction is '-1: an entry of this kind takes from its wallet; 1: it gives.';
comment on column casino.entry_kinds.accounts is 'House accounts that an entry of this kind may post on.';
comment on column casino.entry_kinds.is_fed is 'The provider''s feed and look-up show it.';
comment on column casino.entry_kinds.remembers_refusals is
    'A refusal with 402, 403 or 423 is recorded, and answers the same for ever.';
comment on column casino.entry_kinds.event_type is 'Its type in casino.ledger_events; null: it writes no event.';
insert into casino.entry_kinds (entry_kind, direction, accounts, is_fed, remembers_refusals, event_type) values
('debit', -1, '{house_games}', true, true, 'BET'),
('credit', 1, '{house_games}', true, false, 'WIN'),
('rollback', 1, '{house_games}', true, false, 'ROLLBACK'),
('deposit', 1, '{house_cash}', false, false, 'DEPOSIT'),
('withdrawal', -1, '{house_cash}', false, false, 'WITHDRAW'),
('adjustment_in', 1, '{house_adjustments}', false, false, null),
('adjustment_out', -1, '{house_adjustments}', false, false, null),
('transfer_in', 1, '{in_transit}', false, false, null),
('transfer_out', -1, '{in_transit}', false, false, null)
on conflict do nothing;

-- step: types
-- A type that functions return never changes: a release that needs more columns makes a new one beside it.
do $$
begin
    if to_regtype('casino.entry') is null then
        -- What casino.book_entries is asked to book. wallet_row: where the caller read the wallet under its lock, or null.
        create type casino.entry as (
            place integer, turn integer, wallet_id bigint, wallet_row tid, kind text, transaction_id text,
            provider_id text, session_id uuid, round_id text, game_code text, amount_minor bigint, delta_minor bigint,
            currency text, related_transaction_id text, house_accounts text[], house_minor bigint[],
            tombstone boolean, already_rolled_back boolean, reason text, request_id text, signed_by text,
            clock_skew_seconds integer, received_at timestamptz,
            region text, agent_id text, cashier_id text
        );
        -- What became of an entry. A refusal that was recorded has no number and no hash.
        create type casino.booked_entry as (
            place integer, currency text, tombstone boolean, already_rolled_back boolean, request_id text,
            balance_after_minor bigint, sequence_no bigint, entry_hash bytea
        );
        -- One wallet command with everything that its judgement depends on: casino.read_wallet_commands.
        create type casino.seen_command as (
            place integer, kind text, player_id text, transaction_id text, round_id text, amount_minor bigint,
            currency text, related_id text, end_round boolean, reason text, request_id text, signed_by text,
            clock_skew_seconds integer, received_at timestamptz,
            session_id uuid, session_player_id text, session_currency text, session_alive boolean, provider_id text,
            game_code text, stake_min_minor bigint, stake_max_minor bigint,
            over_loss_limit boolean, over_win_cap boolean, over_round_total boolean,
            wallet_id bigint, wallet_row tid, tenant_id text, balance_minor bigint, blocked boolean, excluded boolean,
            cooling_down boolean,
            round_row tid, round_session_id uuid, live_debits integer, credits integer,
            first_state text, first_code text, first_tombstone boolean, first_already_rolled_back boolean,
            first_request_id text, first_balance_minor bigint, first_head text, differing_field text,
            bet_row tid, bet_kind text, bet_session_id uuid, bet_round_id text, bet_amount_minor bigint,
            bet_state text, entombed boolean, bet_entombed boolean
        );
        -- What is to be done about one wallet command: casino.judge_batch.
        create type casino.judgement as (
            place integer, kind text, transaction_id text, round_id text, amount_minor bigint, currency text,
            related_id text, end_round boolean, reason text, request_id text, signed_by text,
            clock_skew_seconds integer, received_at timestamptz,
            session_id uuid, session_alive boolean, provider_id text, game_code text, wallet_id bigint,
            wallet_row tid, tenant_id text, round_row tid, bet_row tid,
            outcome text, code text, field text, remembered boolean, replay boolean, delta_minor bigint,
            open_bets_delta integer, tombstone boolean, already_rolled_back boolean,
            first_request_id text, first_balance_minor bigint, first_head text
        );
    end if;
end;
$$;

-- step: events
-- What happened, for analytics and player safety, committed with the money that it tells of.
-- Its key is unique by ledger, tenant, action, type and time. The time stands at the front, so that the index only ever grows
-- at its end: a large ledger must not slow bets down. As every key has the time in it, this table can become the first
-- partition of one that is partitioned by month.
create table if not exists casino.ledger_events (
    ledger_id integer not null,
    at timestamptz not null,
    tenant_id text collate "C" not null,
    event_type text collate "C" not null,
    action_id text collate "C" not null,
    player_id text,
    session_id text,
    round_id text,
    game_key text,
    provider_id text,
    region text,
    agent_id text,
    cashier_id text,
    amount_minor bigint not null default 0,
    currency text not null,
    code text,
    route text,
    imported boolean not null default false,
    primary key (ledger_id, at, action_id, event_type, tenant_id),
    constraint event_amount_not_negative check (amount_minor >= 0)
);
comment on column casino.ledger_events.action_id is 'See casino.action_id().';
comment on column casino.ledger_events.code is 'Of an ERROR: the refusal''s code.';

-- step: tenants
alter table casino.tenants
add column if not exists parent_id text,
add column if not exists tenant_type text not null default 'OPERATOR',
add column if not exists status text not null default 'ACTIVE',
-- squawk-ignore ban-drop-constraint
drop constraint if exists tenant_has_parent,
-- squawk-ignore ban-drop-constraint
drop constraint if exists tenant_type_known,
-- squawk-ignore ban-drop-constraint
drop constraint if exists tenant_status_known,
-- Few rows: a constraint that is checked later would free nobody.
-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
add constraint tenant_has_parent foreign key (parent_id) references casino.tenants (tenant_id),
-- squawk-ignore constraint-missing-not-valid
add constraint tenant_type_known check (tenant_type in ('DISTRIBUTOR', 'OPERATOR', 'AGENT', 'DEV')),
-- squawk-ignore constraint-missing-not-valid
add constraint tenant_status_known check (status in ('ACTIVE', 'SUSPENDED', 'CLOSED'));
comment on column casino.tenants.parent_id is 'The tenant above; null: at the top of its ledger.';

-- step: provider of games
alter table casino.games add column if not exists provider_id text not null default 'main';
comment on column casino.games.provider_id is 'The studio that plays the game.';

-- step: provider of sessions
alter table casino.game_sessions add column if not exists provider_id text not null default 'main';
comment on column casino.game_sessions.provider_id is 'That of the game at the launch.';

-- step: provider of rounds
alter table casino.rounds add column if not exists provider_id text not null default 'main';

-- step: provider of tombstones
alter table casino.tombstones add column if not exists provider_id text not null default 'main';

-- step: provider of attempts
alter table casino.attempts add column if not exists provider_id text not null default 'main';

-- step: postings
-- Which accounts there are, casino.book_entries knows from casino.entry_kinds.
alter table casino.postings
add column if not exists provider_id text not null default 'main',
-- squawk-ignore ban-drop-constraint
drop constraint if exists account_known;

-- step: transactions
-- Which kinds there are, casino.book_entries knows from casino.entry_kinds. An entry has a feed position if it came by wire.
alter table casino.transactions
add column if not exists provider_id text not null default 'main',
-- squawk-ignore ban-drop-constraint
drop constraint if exists transaction_kind_known,
-- squawk-ignore ban-drop-constraint
drop constraint if exists wire_transactions_are_fed,
add constraint wire_transactions_are_fed check (
    kind not in ('debit', 'credit', 'rollback') or feed_position is not null
) not valid,
-- squawk-ignore ban-drop-constraint
drop constraint if exists wire_transaction_is_signed,
add constraint wire_transaction_is_signed check (
    entry_formula = 1 or feed_position is null or (signed_by is not null and signed_by <> '')
) not valid;

-- step: events of transactions
-- What casino.ledger_events says of each transaction of the releases before: for the copy and for the trigger below.
create or replace view casino.events_of_transactions as
select
    entry.wallet_id, entry.transaction_id, entry.feed_position,
    entry.ledger_id, entry.recorded_at as at, wallet.tenant_id,
    case when entry.state = 'refused' then 'ERROR' else kind.event_type end as event_type,
    case
        when kind.is_fed then entry.provider_id || ':' || wallet.player_id || ':'
            || case entry.kind when 'rollback' then entry.related_transaction_id else entry.transaction_id end
        else entry.wallet_id || ':' || entry.transaction_id
    end as action_id,
    wallet.player_id, entry.session_id::text as session_id, entry.round_id, session.game_code as game_key,
    case when kind.is_fed then entry.provider_id end as provider_id,
    entry.amount_minor, entry.currency, entry.refusal_code as code
from casino.transactions as entry
join casino.entry_kinds as kind on kind.entry_kind = entry.kind
join casino.wallets as wallet on wallet.ledger_id = entry.ledger_id and wallet.wallet_id = entry.wallet_id
left join casino.game_sessions as session
    on session.ledger_id = entry.ledger_id and session.session_id = entry.session_id
where not entry.already_rolled_back;

create or replace function casino.forward_event()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into casino.ledger_events (
        ledger_id, at, tenant_id, event_type, action_id, player_id, session_id, round_id, game_key, provider_id,
        amount_minor, currency, code
    )
    select
        ledger_id, at, tenant_id, event_type, action_id, player_id, session_id, round_id, game_key, provider_id,
        amount_minor, currency, code
    from casino.events_of_transactions
    where ledger_id = new.ledger_id and wallet_id = new.wallet_id and transaction_id = new.transaction_id;
    return null;
end;
$$;

-- step: events that the release before writes
drop trigger if exists forward_event on casino.events;
create trigger forward_event after insert on casino.events for each row execute function casino.forward_event();
comment on table casino.events is 'Of the releases before 0.3, which casino.ledger_events replaces. The next release drops it.';
