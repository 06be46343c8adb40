-- Purpose: the sum of amounts in minor units; 0 for none.
create or replace function casino.amount_sum(p_amounts_minor bigint[])
returns bigint
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(sum(amount_minor), 0)::bigint from unnest(p_amounts_minor) as amount_minor;
$$;
