-- Purpose: write down what a batch asked about transactions that were recorded before: replays, mismatches, rollbacks that
--   the wallet refused although the bet is there, and bets that came after their tombstone. It answers nobody: casino
--   transaction shows it.
-- Bounded: one row for each transaction and kind of attempt, with a count. What names no transaction leaves no trace.
-- Lock order: under the wallets' locks, which the caller holds.
create or replace function casino.note_attempts(
    p_ledger_id integer, p_judged casino.judgement [], p_now timestamptz
)
returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    insert into casino.attempts as noted (
        ledger_id, wallet_id, transaction_id, attempt, tenant_id, provider_id, times, first_at, last_at,
        last_request_id, last_refusal
    )
    select
        p_ledger_id, wallet_id, named.transaction_id, named.attempt, min(tenant_id), provider_id, count(*),
        p_now, p_now,
        (array_agg(request_id order by place desc))[1],
        (array_agg(case when not replay then coalesce(field, code) end order by place desc))[1]
    from unnest(p_judged) as judged
    cross join lateral (
        select judged.transaction_id, 'replay' as attempt where replay
        union all
        select judged.transaction_id, 'mismatch' where code = 'idempotency_mismatch'
        union all
        select judged.transaction_id, 'late_debit' where code = 'transaction_rolled_back'
        union all
        select related_id, 'refused_rollback' where kind = 'rollback' and code in ('round_has_payout', 'not_a_bet')
    ) as named
    where wallet_id is not null
    group by wallet_id, provider_id, named.transaction_id, named.attempt
    on conflict (ledger_id, wallet_id, transaction_id, provider_id, attempt) do update
    set
        times = noted.times + excluded.times, last_at = excluded.last_at, last_request_id = excluded.last_request_id,
        last_refusal = excluded.last_refusal;
$$;
