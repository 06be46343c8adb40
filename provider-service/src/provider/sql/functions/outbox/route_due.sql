-- Purpose: write its casino into each payout and rollback that became due, so that claim_due_of finds the rows of one
--   casino without reading those of another. Most calls end before they are due and are never routed.
-- Outcome: how many were routed, at most p_limit.
-- Locks: the rows; locked rows are skipped.
create or replace function provider.route_due(p_limit integer)
returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz;
    v_count integer;
begin
    v_now := provider.clock();
    with due as materialized (
        select d.transaction_id, d.provider_session_id
        from provider.wallet_transactions as d
        where d.state = 'pending' and d.kind in ('credit', 'rollback') and d.due_at <= v_now
            and d.outbox_casino_code is null
        order by d.due_at
        limit p_limit
        for no key update skip locked
    )
    update provider.wallet_transactions as t
    set outbox_casino_code = s.casino_code
    from due
    join provider.game_sessions as s on s.provider_session_id = due.provider_session_id
    where t.transaction_id = due.transaction_id;
    get diagnostics v_count = row_count;
    return v_count;
end;
$$;
