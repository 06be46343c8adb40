-- Purpose: lease payouts and rollbacks that are due to the caller, who sends them: of each casino at most its own limit.
-- Outcome: rows with the values that their calls need. Two callers never get the same row. A casino that is away fills
--   its own limit only.
-- p_casino_codes, p_limits: in pairs.
-- Locks: the rows; locked rows are skipped.
create or replace function provider.claim_due_of(
    p_casino_codes text[],
    p_limits integer[],
    p_lease_seconds double precision
)
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
    o_token_sealed bytea,
    o_casino_code text
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    c_routed_max constant integer := 1000;
    v_now timestamptz;
begin
    perform provider.route_due(c_routed_max);
    v_now := provider.clock();
    return query
    with due as materialized (
        select one.transaction_id
        from unnest(p_casino_codes, p_limits) as casino (casino_code, most)
        cross join lateral (
            select d.transaction_id
            from provider.wallet_transactions as d
            where d.outbox_casino_code = casino.casino_code
                and d.state = 'pending' and d.kind in ('credit', 'rollback') and d.due_at <= v_now
            order by d.due_at
            limit casino.most
            for no key update skip locked
        ) as one
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
        s.provider_session_id, s.user_id, s.token_sealed, s.casino_code;
end;
$$;
