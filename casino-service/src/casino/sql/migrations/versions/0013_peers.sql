-- Ids of transactions, rounds, tombstones and attempts are scoped to the provider.
-- The Python file beside this one then builds the indexes that the functions of this release need. The keys that the release
-- before needs stay until those functions are in place: casino/sql/last_steps.py.

-- step: a peer that is draining
do $$
begin
    if not exists (
        select from pg_attribute
        where attrelid = 'casino.seen_command'::regclass and attname = 'draining' and not attisdropped
    ) then
        alter type casino.seen_command add attribute draining boolean;
    end if;
end;
$$;
