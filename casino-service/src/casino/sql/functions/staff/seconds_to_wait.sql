-- Purpose: how long an address has to wait before another login is judged: 30 refusals a minute are allowed.
-- Outcome: whole seconds; 0: it does not have to wait.
create or replace function casino.seconds_to_wait(p_ledger_id integer, p_address inet)
returns integer
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(max(greatest(ceil(extract(epoch from refused_at[1] + interval '1 minute' - casino.clock())), 0)), 0)::integer
    from casino.login_refusals
    where ledger_id = p_ledger_id and counted = casino.counted_network(p_address) and cardinality(refused_at) >= 30;
$$;
