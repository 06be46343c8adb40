-- Purpose: forget what kept answers no longer hold: the sealed part after a day, the whole after 30 days, a page at a time.
-- Outcome: how many rows changed.
create or replace function casino.forget_kept_answers(p_ledger_id integer, p_limit integer)
returns integer
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    with due as (
        select ctid, kept_at <= casino.clock() - interval '30 days' as is_over
        from casino.kept_answers
        where ledger_id = p_ledger_id and (
            kept_at <= casino.clock() - interval '30 days'
            or (sealed is not null and kept_at <= casino.clock() - interval '1 day')
        )
        limit p_limit
        for update skip locked
    ),
    gone as (
        delete from casino.kept_answers using due where kept_answers.ctid = due.ctid and due.is_over returning 1
    ),
    opened as (
        update casino.kept_answers set sealed = null from due
        where kept_answers.ctid = due.ctid and not due.is_over
        returning 1
    )
    select ((select count(*) from gone) + (select count(*) from opened))::integer;
$$;
