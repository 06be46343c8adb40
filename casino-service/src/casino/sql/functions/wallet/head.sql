-- Purpose: how a place in a wallet's chain is written: <sequence>:<64 hex digits>; null while the chain is empty.
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
create or replace function casino.head(p_sequence_no bigint, p_entry_hash bytea)
returns text
language sql immutable parallel safe
begin atomic
    select p_sequence_no::text || ':' || pg_catalog.encode(p_entry_hash, 'hex'); -- bigint || text is only stable
end;
