-- Purpose: claim the nonces of a batch of requests with valid signatures. A nonce occurs once in a batch.
-- Outcome: the fresh nonces.
-- A nonce is stored in the partition of its request's timestamp: three partitions of six minutes, used in turn. Two copies
-- of one request have the same timestamp, so the primary key of one partition refuses the second copy. All three
-- partitions are searched, so a nonce that comes again with another timestamp is found too.
-- (A scalar subquery, not `exists`: it stays a look-up by key whatever the planner expects of an empty table.)
-- A partition is truncated (casino.empty_old_nonce_drawer) when every nonce in it is older than five minutes.
-- A timestamp far from the database's clock is never fresh: 120 seconds ahead, 360 behind. A partition is kept for 360
-- seconds after its last timestamp, so no nonce is accepted twice, even if the clock of a service steps back.
create or replace function casino.claim_nonces(p_nonces text[], p_timestamps bigint[])
returns setof text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_seconds constant bigint := extract(epoch from casino.clock())::bigint;
begin
    return query
    insert into casino.nonces as claimed (drawer, nonce)
    select (claim.seconds / 360 % 3)::smallint, claim.nonce
    from unnest(p_nonces, p_timestamps) as claim (nonce, seconds)
    where claim.seconds between v_seconds - 360 and v_seconds + 120
        and (select true from casino.nonces as seen where seen.drawer = 0 and seen.nonce = claim.nonce limit 1) is null
        and (select true from casino.nonces as seen where seen.drawer = 1 and seen.nonce = claim.nonce limit 1) is null
        and (select true from casino.nonces as seen where seen.drawer = 2 and seen.nonce = claim.nonce limit 1) is null
    order by claim.nonce -- one order everywhere: two batches with the same nonces must not wait for each other in a ring
    on conflict (drawer, nonce) do nothing
    returning claimed.nonce;
end;
$$;
