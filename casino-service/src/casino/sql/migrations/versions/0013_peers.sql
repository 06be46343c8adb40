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

-- step: games of each provider
-- Few rows: a constraint that is checked later would free nobody.
alter table casino.games
add column if not exists two_party boolean not null default false,
-- squawk-ignore ban-drop-constraint
drop constraint if exists game_code_unique_per_tenant,
-- squawk-ignore ban-drop-constraint
drop constraint if exists game_code_unique_per_provider,
-- squawk-ignore disallowed-unique-constraint, constraint-missing-not-valid
add constraint game_code_unique_per_provider unique (tenant_id, provider_id, game_code);
comment on column casino.games.two_party is 'Neither side alone decides a round: debits carry what the provider committed to.';
