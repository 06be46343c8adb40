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

-- The hash and the number that casino.judge_wallet_commands gives to a command, or gave to it the first time.
alter type casino.judged_command add attribute entry_sequence_no bigint, add attribute entry_hash bytea;
