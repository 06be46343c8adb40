-- Purpose: judge a batch of wallet commands of one ledger whose wallets the caller has locked. It writes nothing.
-- Outcomes, one for each command, in any order; place says which:
--   committed  to be booked, moving delta_minor on the wallet;  replayed  booked before: the first answer;
--   refused    with its code, and in field the field that differs, the bound that a stake breaks, or a stop's reason;  busy  another transaction holds the wallet.
-- Steps: casino.read_wallet_commands reads, casino.refusal_of decides whether, and this function what follows.
create or replace function casino.judge_batch(
    p_ledger_id integer, p_commands jsonb, p_locked_wallet_ids bigint[], p_now timestamptz
)
returns casino.judgement []
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
as $$
#variable_conflict use_column
declare
    -- A bonus is granted when no more than this is left, in minor units.
    c_bonus_trigger_minor constant bigint := 100;
    v_judged casino.judgement[];
begin
    with judged as (
        select
            seen.*, seen.first_state is not null as is_known, casino.refusal_of(seen) as code,
            seen.kind = 'rollback' and seen.bet_state = 'committed' as takes_back
        from casino.read_wallet_commands(p_ledger_id, p_commands, p_locked_wallet_ids, p_now) as seen
        offset 0 -- a fence: each command is judged once
    ),
    decided as (
        select
            judged.*, differing_field is null and code is distinct from 'session_not_found' as is_answered_again,
            case
                when code = 'session_busy' then 'busy'
                when code is not null then 'refused'
                when is_known then 'replayed'
                else 'committed'
            end as outcome
        from judged
    ),
    judgement as (
        select
            place, kind, transaction_id, round_id, amount_minor, session_currency as currency, related_id, end_round,
            case when code = 'play_stopped' then stop_reason else reason end as reason, request_id, signed_by, clock_skew_seconds, received_at, session_id, session_alive, provider_id,
            game_code, wallet_id, wallet_row, tenant_id, round_row, case when takes_back then bet_row end as bet_row,
            outcome, code,
            case
                when code = 'idempotency_mismatch' then differing_field
                when is_known and code is not null and first_head is null then 'bare' -- casino.record_refusals
                when code = 'play_stopped' then 'because ' || stop_reason
                when code = 'stake_too_low' then stake_min_minor::text
                when code = 'stake_too_high' and amount_minor > stake_max_minor then stake_max_minor::text
            end as field,
            coalesce(not is_known and wallet_id is not null and casino.is_remembered(code), false) as remembered,
            is_known and is_answered_again as replay,
            case
                when outcome <> 'committed' then 0
                when kind = 'debit' then - amount_minor
                when kind = 'credit' then amount_minor
                when takes_back then bet_amount_minor
                else 0
            end as delta_minor,
            case
                when outcome <> 'committed' then 0
                when kind = 'debit' then 1
                when kind = 'credit' and credits = 0 then - live_debits
                when takes_back then -1
                else 0
            end as open_bets_delta,
            coalesce(first_tombstone, kind = 'rollback' and bet_state in ('unseen', 'refused')) as tombstone,
            coalesce(
                first_already_rolled_back, kind = 'rollback' and (bet_state = 'rolled_back' or bet_entombed)
            ) as already_rolled_back,
            case when is_answered_again then first_request_id end as first_request_id,
            first_balance_minor + coalesce(first_bonus_minor, 0) as first_balance_minor, first_head,
            coalesce(pending_bonus_minor > 0 and outcome = 'committed' and case
                when kind = 'credit' then credits = 0 and balance_minor + amount_minor <= c_bonus_trigger_minor
                when takes_back then balance_minor + bet_amount_minor <= c_bonus_trigger_minor
            end, false) as may_grant,
            play_session_id, has_limits, counter_row, counter_is_old, played_from,
            outcome = 'committed' and coalesce(
                case when kind = 'credit' then credits = 0 when takes_back then live_debits = 1 end, false
            ) as ends_round,
            bet_recorded_at
        from decided
    )
    select array_agg(row(judgement.*)::casino.judgement) into v_judged from judgement;
    return v_judged;
end;
$$;
