-- Purpose: make payouts and rollbacks with an unknown outcome due now instead of after their pause. A call that another
--   process sends at this moment may be sent twice; it has one id, so the wallet executes it once.
-- Outcome: how many became due, at most p_limit.
-- For processes of the release before. The next release drops it; hasten_due_of replaces it.
-- Locks: the rows; locked rows are skipped.
create or replace function provider.hasten_due(p_limit integer)
returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz;
    v_count integer;
begin
    v_now := provider.clock();
    with waiting as materialized (
        select w.transaction_id
        from provider.wallet_transactions as w
        where w.state = 'pending' and w.kind in ('credit', 'rollback') and w.due_at > v_now
            and w.outcome_code is not null
        order by w.due_at
        limit p_limit
        for no key update skip locked
    )
    update provider.wallet_transactions as t
    set due_at = v_now
    from waiting
    where t.transaction_id = waiting.transaction_id;
    get diagnostics v_count = row_count;
    return v_count;
end;
$$;
