-- Purpose: score the play sessions of wallet commands that ended a round (judgement.ends_round) and were booked, and take the actions
--   that follow, in the same transaction.
-- Lock order: under the wallets' locks, which the caller holds.
create or replace function casino.watch_play(p_ledger_id integer, p_judged casino.judgement [], p_now timestamptz)
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
as $$
begin
    perform casino.take_action(
        p_ledger_id, judged.wallet_id, judged.play_session_id, risk.o_score, risk.o_reasons, risk.o_evidence, p_now
    )
    from unnest(p_judged) as judged
    cross join lateral casino.risk_of(p_ledger_id, judged.play_session_id, p_now, false) as risk
    where judged.outcome = 'committed' and judged.ends_round and risk.o_score >= 30;
end;
$$;
