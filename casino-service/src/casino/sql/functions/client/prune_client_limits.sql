-- Purpose: delete rate-limit buckets that are full again and fingerprints of ended access tokens, at most p_limit of each.
-- Outcome: the larger of both numbers of deleted rows. If it equals p_limit, there may be more.
-- Locks: the deleted rows; rows that another transaction has locked are skipped.
create or replace function casino.prune_client_limits(p_limit integer)
returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now constant timestamptz := casino.clock();
    v_buckets integer;
    v_fingerprints integer;
begin
    with full_bucket as materialized (
        select tenant_id, player_id from casino.rate_buckets
        where full_at <= v_now
        limit p_limit
        for update skip locked
    )
    delete from casino.rate_buckets as bucket
    using full_bucket
    where bucket.tenant_id = full_bucket.tenant_id and bucket.player_id = full_bucket.player_id;
    get diagnostics v_buckets = row_count;

    with ended as materialized (
        select tenant_id, token_hash from casino.access_token_fingerprints
        where expires_at <= v_now
        order by expires_at
        limit p_limit
        for update skip locked
    )
    delete from casino.access_token_fingerprints as known
    using ended
    where known.tenant_id = ended.tenant_id and known.token_hash = ended.token_hash;
    get diagnostics v_fingerprints = row_count;
    return greatest(v_buckets, v_fingerprints);
end;
$$;
