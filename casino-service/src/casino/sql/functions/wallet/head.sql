-- Purpose: how a place in a wallet's chain is written: <sequence>:<64 hex digits>; null while the chain is empty.
-- Without a `set` clause, so that it is inlined.
create or replace function casino.head(p_sequence_no bigint, p_entry_hash bytea)
returns text
language sql immutable parallel safe
as $$
    select p_sequence_no || ':' || pg_catalog.encode(p_entry_hash, 'hex');
$$;
