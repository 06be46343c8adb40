-- Purpose: claim the nonces of a batch of requests with valid signatures. A nonce occurs once in a batch; null is none.
-- Outcome: the ids of the claims that their nonces belong to. An id is random, so a claim that is made again after its answer was
--   lost finds its own nonce; a nonce of another claim, or of one without an id, is used.
-- A nonce is stored in the partition of its request's timestamp: three partitions of six minutes, used in turn. Two copies
-- of one request have the same timestamp, so the primary key of one partition refuses the second copy. The two other
-- partitions are searched, so a nonce that comes again with another timestamp is found too.
-- (A scalar subquery, not `exists`: it stays a look-up by key whatever the planner expects of an empty table.)
-- A partition is truncated (casino.empty_old_nonce_drawer) when every nonce in it is older than five minutes.
-- A timestamp far from the database's clock is never fresh: 120 seconds ahead, 360 behind. A partition is kept for 360
-- seconds after its last timestamp, so no nonce is accepted twice, even if the clock of a service steps back.
-- Lock order: a claim waits for another transaction's claim of the same nonce, so callers take wallets first, and wait for nothing
--   that somebody holds who waits for a nonce.
create or replace function casino.take_nonces(p_nonces text[], p_timestamps bigint[], p_claim_ids bigint[])
returns bigint[]
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_seconds constant bigint := extract(epoch from casino.clock())::bigint;
    v_taken bigint[];
begin
    with taken as (
        insert into casino.nonces as claimed (drawer, nonce, claim_id)
        select (claim.seconds / 360 % 3)::smallint, claim.nonce, claim.claim_id
        from unnest(p_nonces, p_timestamps, p_claim_ids) as claim (nonce, seconds, claim_id)
        where claim.nonce is not null and claim.seconds between v_seconds - 360 and v_seconds + 120
            and case when claim.seconds / 360 % 3 <> 0 then (
                select true from casino.nonces as seen where seen.drawer = 0 and seen.nonce = claim.nonce limit 1
            ) end is null
            and case when claim.seconds / 360 % 3 <> 1 then (
                select true from casino.nonces as seen where seen.drawer = 1 and seen.nonce = claim.nonce limit 1
            ) end is null
            and case when claim.seconds / 360 % 3 <> 2 then (
                select true from casino.nonces as seen where seen.drawer = 2 and seen.nonce = claim.nonce limit 1
            ) end is null
        order by claim.nonce -- one order everywhere: batches with the same nonces must not wait for each other in a ring
        on conflict (drawer, nonce) do update set claim_id = excluded.claim_id where claimed.claim_id = excluded.claim_id
        returning claimed.claim_id
    )
    select array_agg(claim_id) into v_taken from taken;
    return coalesce(v_taken, '{}');
end;
$$;
