-- Purpose: casino.take_nonces for processes of the release before, whose claims have no id. It goes with the next release.
create or replace function casino.claim_nonces(p_nonces text[], p_timestamps bigint[])
returns setof text
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    select casino.take_nonces(p_nonces, p_timestamps, array_fill(null::bigint, array[cardinality(p_nonces)]));
$$;
