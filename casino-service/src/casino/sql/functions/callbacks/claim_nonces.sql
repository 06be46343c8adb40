-- Purpose: casino.take_nonces for processes of the release before, whose claims have no id of their own. It goes with the next release.
create or replace function casino.claim_nonces(p_nonces text[], p_timestamps bigint[])
returns setof text
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    with claim as materialized (
        select nonce, seconds, ('x' || left(replace(gen_random_uuid()::text, '-', ''), 16))::bit(64)::bigint as claim_id
        from unnest(p_nonces, p_timestamps) as request (nonce, seconds)
    )
    select nonce from claim
    where claim_id = any ((
        select casino.take_nonces(array_agg(nonce), array_agg(seconds), array_agg(claim_id)) from claim
    )::bigint[]);
$$;
