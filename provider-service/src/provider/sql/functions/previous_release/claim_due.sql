-- Purpose: lease payouts and rollbacks that are due to the caller, who sends them.
-- Outcome: at most p_limit rows, with the values that their calls need. Two callers never get the same row.
-- For processes of the release before, which know one casino: no row once these books have players of a second one. The
--   next release drops it; claim_due_of replaces it.
-- Locks: the rows; locked rows are skipped.
create or replace function provider.claim_due(p_limit integer, p_lease_seconds double precision)
returns table (
    o_transaction_id uuid,
    o_kind text,
    o_reason text,
    o_round_id uuid,
    o_amount_minor bigint,
    o_currency text,
    o_related_transaction_id uuid,
    o_original_transaction_id uuid,
    o_end_round boolean,
    o_request_id text,
    o_deliveries bigint,
    o_provider_session_id uuid,
    o_user_id text,
    o_token_sealed bytea
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now timestamptz;
begin
    if (select min(p.casino_code) is distinct from max(p.casino_code) from provider.players as p) then
        return;
    end if;
    v_now := provider.clock();
    return query
    with due as materialized (
        select d.transaction_id
        from provider.wallet_transactions as d
        where d.state = 'pending' and d.kind in ('credit', 'rollback') and d.due_at <= v_now
        order by d.due_at
        limit p_limit
        for no key update skip locked
    )
    update provider.wallet_transactions as t
    set due_at = v_now + make_interval(secs => p_lease_seconds)
    from due
    join provider.wallet_transactions as d on d.transaction_id = due.transaction_id
    join provider.game_sessions as s on s.provider_session_id = d.provider_session_id
    where t.transaction_id = due.transaction_id
    returning
        t.transaction_id, t.kind, t.reason, t.round_id, t.amount_minor, t.currency, t.related_transaction_id,
        t.original_transaction_id, t.end_round, t.request_id, t.deliveries,
        s.provider_session_id, s.user_id, s.token_sealed;
end;
$$;
