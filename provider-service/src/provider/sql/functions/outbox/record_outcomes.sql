-- Purpose: record how calls ended, one outcome per session.
-- Outcome: per session the transaction's state afterwards, and whether this call changed it. A transaction that ended, or
--   a debit that recovery gave up meanwhile, does not change: a second answer changes nothing.
-- accepted: committed. A rollback also ends its bet; a payout that ends its round also settles the round's bets.
-- refused: refused. never_known: the wallet does not know the session or the round, so it did not take a bet in doubt.
--   contradicts: the wallet must not refuse this call; the row gets a difference code. A refused payout also ends its
--   round; an operator resolves the difference.
-- unknown: a debit is given up, and its rollback is due at once. A payout or rollback is due again after pause_seconds
--   with the same id, without a limit on retries.
-- A rollback's answer that contradicts a settled bet, or a bet of a session that the wallet never knew, gets a
--   difference code.
-- Locks: none of its own. The caller has locked the transaction, a rollback's bet, and a payout's round.
create or replace function provider.record_outcomes(p_outcomes jsonb, p_busy_session_ids uuid[])
returns table (o_session_id uuid, o_state text, o_applied boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now constant timestamptz := provider.clock();
    v_session_ids uuid[];
    v_states text[];
    v_applied boolean[];
    v_bet_ids uuid[];
    v_bet_states text[];
    v_paid_round_ids uuid[];
    v_unpaid_round_ids uuid[];
    v_doubtful_bet_ids uuid[];
    v_bet_id uuid;
begin
    with told as materialized (
        select said.*, bet.state as bet_state, t.state as state_before, t.in_doubt_at is not null as in_doubt
        from jsonb_to_recordset(p_outcomes) as said (
            session_id uuid, transaction_id uuid, verdict text, code text, never_known boolean, contradicts boolean,
            balance_minor bigint, tombstone boolean, head_sequence bigint, head_hash text,
            pause_seconds double precision, tries bigint
        )
        join provider.wallet_transactions as t on t.transaction_id = said.transaction_id
        left join provider.wallet_transactions as bet
            on bet.transaction_id = t.original_transaction_id and bet.kind = 'debit'
        where said.session_id <> all (p_busy_session_ids)
    ),
    changed as (
        update provider.wallet_transactions as t
        set state = case told.verdict when 'accepted' then 'committed' when 'refused' then 'refused' else 'pending' end,
            due_at = case when told.verdict = 'unknown' and t.kind <> 'debit'
                then v_now + make_interval(secs => told.pause_seconds) end,
            in_doubt_at = case when told.verdict = 'unknown' and t.kind = 'debit' then v_now end,
            answered_at = case when told.verdict <> 'unknown' then v_now end,
            outcome_code = told.code,
            difference_code = case
                when told.verdict = 'accepted' and told.bet_state = 'settled' then 'settled_bet_rolled_back'
                when told.never_known and told.bet_state = 'committed' then 'committed_bet_never_known'
                when told.contradicts then told.code
            end,
            deliveries = t.deliveries + 1, attempts = t.attempts + told.tries, tombstone = coalesce(told.tombstone, false),
            balance_after_minor = told.balance_minor, head_sequence = told.head_sequence, head_hash = told.head_hash
        from told
        where t.transaction_id = told.transaction_id and told.state_before = 'pending' and not told.in_doubt
        returning t.transaction_id, t.kind, t.state, t.round_id, t.end_round, t.original_transaction_id
    )
    select
        array_agg(told.session_id), array_agg(coalesce(changed.state, told.state_before)),
        array_agg(changed.transaction_id is not null),
        array_agg(changed.original_transaction_id) filter (where changed.kind = 'rollback' and changed.state <> 'pending'),
        array_agg(
            case when changed.state = 'committed' then 'rolled_back' when told.never_known then 'refused' else 'committed' end
        ) filter (where changed.kind = 'rollback' and changed.state <> 'pending'),
        array_agg(changed.round_id)
        filter (where changed.kind = 'credit' and changed.end_round and changed.state = 'committed'),
        array_agg(changed.round_id) filter (where changed.kind = 'credit' and changed.state = 'refused'),
        array_agg(changed.transaction_id) filter (where changed.kind = 'debit' and changed.state = 'pending')
    into
        v_session_ids, v_states, v_applied, v_bet_ids, v_bet_states, v_paid_round_ids, v_unpaid_round_ids,
        v_doubtful_bet_ids
    from told
    left join changed on changed.transaction_id = told.transaction_id;

    if v_bet_ids is not null then
        update provider.wallet_transactions as bet
        set state = ended.state, due_at = null, ended_at = v_now
        from unnest(v_bet_ids, v_bet_states) as ended (bet_id, state)
        where bet.transaction_id = ended.bet_id and bet.kind = 'debit'
            and (bet.state = 'pending' or (bet.state = 'committed' and ended.state = 'rolled_back'));
    end if;
    if v_paid_round_ids is not null then
        perform provider.settle_rounds(v_paid_round_ids, 'paid');
    end if;
    if v_unpaid_round_ids is not null then
        perform provider.settle_rounds(v_unpaid_round_ids, 'payout_refused');
    end if;
    foreach v_bet_id in array coalesce(v_doubtful_bet_ids, '{}') loop
        perform provider.give_up_bet(v_bet_id, 'unknown_outcome');
    end loop;

    return query
    select told.session_id, told.state, told.applied
    from unnest(v_session_ids, v_states, v_applied) as told (session_id, state, applied);
end;
$$;
