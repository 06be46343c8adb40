-- The hash chain: what makes an edited, removed, inserted or reordered transaction of a wallet show (casino.entry_hash).
alter table casino.wallets add column head_hash bytea;
alter table casino.transactions
add column entry_hash bytea,
add column answered_with_head boolean not null default false,
add column signed_by text,
add column clock_skew_seconds integer,
add column received_at timestamptz;
comment on column casino.wallets.head_hash is 'entry_hash of the wallet''s newest committed transaction; null before the first.';
comment on column casino.transactions.answered_with_head is
    'False for what was answered before there were heads: its replays are the first answer, byte for byte.';
comment on column casino.transactions.signed_by is 'Id of the key whose signature the request held by; null when it came by no signed request.';
comment on column casino.transactions.clock_skew_seconds is 'How far the signature''s time lay in the past when the request arrived.';
comment on column casino.transactions.received_at is 'When the request arrived, by the clock of the process that took it.';

-- What was booked before there was a chain joins it, wallet by wallet in the order of its sequence.
do $$
declare
    v_entry record;
    v_wallet_id bigint;
    v_ledger_id integer;
    v_hash bytea;
begin
    for v_entry in
        select * from casino.transactions where sequence_no is not null order by ledger_id, wallet_id, sequence_no
    loop
        if v_entry.wallet_id is distinct from v_wallet_id or v_entry.ledger_id is distinct from v_ledger_id then
            v_hash := null;
        end if;
        v_ledger_id := v_entry.ledger_id;
        v_wallet_id := v_entry.wallet_id;
        v_hash := casino.entry_hash(
            v_hash, v_entry.ledger_id, v_entry.wallet_id, v_entry.sequence_no, v_entry.transaction_id, v_entry.kind,
            v_entry.session_id, v_entry.round_id, v_entry.amount_minor, v_entry.currency,
            v_entry.related_transaction_id, v_entry.balance_after_minor, v_entry.tombstone, v_entry.already_rolled_back
        );
        update casino.transactions
        set entry_hash = v_hash
        where ledger_id = v_entry.ledger_id and wallet_id = v_entry.wallet_id
            and transaction_id = v_entry.transaction_id;
        update casino.wallets
        set head_hash = v_hash
        where ledger_id = v_entry.ledger_id and wallet_id = v_entry.wallet_id and sequence_no = v_entry.sequence_no;
    end loop;
end;
$$;

-- Both tables are ours alone since the first statement: a constraint that is checked later would free nobody.
alter table casino.transactions
-- squawk-ignore constraint-missing-not-valid
add constraint numbered_has_hash check ((sequence_no is null) = (entry_hash is null));
alter table casino.wallets
-- squawk-ignore constraint-missing-not-valid
add constraint used_wallet_has_head check ((sequence_no = 0) = (head_hash is null));

-- How many bets of a session nobody has answered yet: a session is closed behind a player's back only when it has none.
alter table casino.game_sessions add column open_bets integer not null default 0;
comment on column casino.game_sessions.open_bets is 'Committed debits of the session whose round has no credit yet.';
update casino.game_sessions as session
set open_bets = counted.live_debits
from (
    select ledger_id, session_id, sum(live_debits) as live_debits
    from casino.rounds
    where credits = 0 and live_debits > 0
    group by ledger_id, session_id
) as counted
where session.ledger_id = counted.ledger_id and session.session_id = counted.session_id;
alter table casino.game_sessions
-- squawk-ignore constraint-missing-not-valid
add constraint open_bets_not_negative check (open_bets >= 0);
-- No column of it changes while a session is played: what a bet updates stays off the index.
-- squawk-ignore require-concurrent-index-creation
create index game_sessions_open on casino.game_sessions (ledger_id, opened_at, session_id) where closed_at is null;

-- What was asked about a transaction, or about a bet that a tombstone forbids, after it was recorded: one row for each and
-- kind, with a count. No foreign key: a tombstone stands for a transaction that is not there.
create table casino.attempts (
    ledger_id integer not null,
    wallet_id bigint not null,
    transaction_id text not null,
    attempt text not null,
    tenant_id text not null,
    times bigint not null default 1,
    first_at timestamptz not null,
    last_at timestamptz not null,
    last_request_id text not null,
    last_refusal text,
    primary key (ledger_id, wallet_id, transaction_id, attempt),
    constraint attempt_known check (attempt in ('replay', 'mismatch', 'refused_rollback', 'late_debit'))
) with (fillfactor = 80);
comment on column casino.attempts.last_refusal is 'Of a mismatch: the field that differed; of what was refused: the code.';

-- entry_sequence_no, entry_hash: a command's place in the chain, of a replay the one it got the first time.
-- open_bets_delta: what it changes in its session's open_bets.
alter type casino.judged_command
add attribute entry_sequence_no bigint,
add attribute entry_hash bytea,
add attribute open_bets_delta integer,
add attribute signed_by text,
add attribute clock_skew_seconds integer,
add attribute received_at timestamptz;
