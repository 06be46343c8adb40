-- Purpose: formula 2, which hashes every new entry: casino.entry_hash with one more member, casino.entry_details.
-- Outcome: as there. It must never change either.
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
create or replace function casino.entry_hash_2(
    p_previous_hash bytea, p_ledger_id integer, p_wallet_id bigint, p_sequence_no bigint, p_transaction_id text,
    p_kind text, p_session_id uuid, p_round_id text, p_amount_minor bigint, p_currency text,
    p_related_transaction_id text, p_balance_after_minor bigint, p_tombstone boolean, p_already_rolled_back boolean,
    p_details json
)
returns bytea
language sql stable parallel safe
begin atomic
    select sha256(convert_to(
        json_build_array(
            encode(p_previous_hash, 'hex'), p_ledger_id, p_wallet_id, p_sequence_no, p_transaction_id,
            p_kind, p_session_id, p_round_id, p_amount_minor, p_currency,
            p_related_transaction_id, p_balance_after_minor, p_tombstone, p_already_rolled_back, p_details
        )::text,
        'UTF8'
    ));
end;
