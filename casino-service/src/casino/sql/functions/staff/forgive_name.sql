-- Purpose: forget the refusals of a name since its last lock, because its right password came. How often it was locked is kept.
-- Locks: the name's row, which casino.hold_login holds already.
create or replace function casino.forgive_name(p_ledger_id integer, p_kind text, p_name text)
returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    update casino.login_refusals set refused_at = '{}'
    where ledger_id = p_ledger_id and counted = casino.counted_name(p_kind, p_name) and refused_at <> '{}';
$$;
