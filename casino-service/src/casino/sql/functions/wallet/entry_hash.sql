-- Purpose: formula 1, which hashed every entry before revision 0007: over the hash of the entry before it (null for a
--   wallet's first) and everything about the transaction that money depends on and that never changes. What is new has
--   formula 2, casino.entry_hash_2.
-- Outcome: SHA-256 of a JSON array in UTF-8, as Postgres and Python's json.dumps(..., ensure_ascii=False) both write it. An
--   array of JSON values can be read in one way only: nothing can be moved from one column into the next unnoticed.
-- It must never change: every stored hash was made by it. The rolled-back mark of a bet is not in it: it changes later, and
--   follows from the rollback, which is an entry of its own.
-- Neither `immutable` nor with a `set` clause: so it is inlined, which halves its cost on the hot path. `begin atomic`: its
--   names are resolved when it is created, so the caller's search_path does not matter.
create or replace function casino.entry_hash(
    p_previous_hash bytea, p_ledger_id integer, p_wallet_id bigint, p_sequence_no bigint, p_transaction_id text,
    p_kind text, p_session_id uuid, p_round_id text, p_amount_minor bigint, p_currency text,
    p_related_transaction_id text, p_balance_after_minor bigint, p_tombstone boolean, p_already_rolled_back boolean
)
returns bytea
language sql stable parallel safe
begin atomic
    select pg_catalog.sha256(pg_catalog.convert_to(
        pg_catalog.json_build_array(
            pg_catalog.encode(p_previous_hash, 'hex'), p_ledger_id, p_wallet_id, p_sequence_no, p_transaction_id,
            p_kind, p_session_id, p_round_id, p_amount_minor, p_currency,
            p_related_transaction_id, p_balance_after_minor, p_tombstone, p_already_rolled_back
        )::text,
        'UTF8'
    ));
end;
