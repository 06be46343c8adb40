-- Purpose: give a table the row-level security of another one: forced, with the same policies. For tables that are made from a
--   table that is closed already: partitions, and the table that they are partitions of.
-- Locks: the new table.
create or replace function casino.copy_row_security(p_from regclass, p_to regclass)
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_policy record;
begin
    execute format('alter table %s enable row level security, force row level security', p_to);
    for v_policy in
        select
            polname, case polcmd when 'r' then 'select' else 'all' end as command, pg_get_expr(polqual, polrelid) as condition,
            (select string_agg(role::regrole::text, ', ' order by role::regrole::text) from unnest(polroles) as role) as roles
        from pg_policy where polrelid = p_from
    loop
        execute format(
            'create policy %I on %s for %s to %s using (%s)',
            v_policy.polname, p_to, v_policy.command, v_policy.roles, v_policy.condition
        );
    end loop;
end;
$$;
