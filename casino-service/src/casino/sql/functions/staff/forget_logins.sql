-- Purpose: delete counts of refusals that hold nobody back any more, and families that ended, at most p_limit of each.
-- Outcome: the larger of both numbers.
-- Locks: the deleted rows; rows that another transaction has locked are skipped.
create or replace function casino.forget_logins(p_ledger_id integer, p_limit integer)
returns integer
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    with idle as materialized (
        select ledger_id, counted from casino.login_refusals
        where ledger_id = p_ledger_id and forget_at <= casino.clock()
        limit p_limit
        for update skip locked
    ),
    ended as materialized (
        select ledger_id, family_id from casino.staff_families
        where ledger_id = p_ledger_id and ends_at <= casino.clock()
        limit p_limit
        for update skip locked
    ),
    forgotten as (
        delete from casino.login_refusals as known using idle
        where known.ledger_id = idle.ledger_id and known.counted = idle.counted
        returning 1
    ),
    gone as (
        delete from casino.staff_families as family using ended
        where family.ledger_id = ended.ledger_id and family.family_id = ended.family_id
        returning 1
    )
    select greatest((select count(*) from forgotten), (select count(*) from gone))::integer;
$$;
