-- Purpose: decide and book a batch of debits, credits and rollbacks of one ledger, at most one per wallet, in one step.
-- Input and outcomes: those of casino.judge_wallet_commands, one row per command. Refusals are outcomes, never exceptions:
--   a refused command does not disturb its neighbours. What was refused for want of money or by a gate on the player is
--   booked as `refused` and answers the same for ever; no other refusal leaves a trace.
-- Lock order: casino.lock_wallets. Everything below a wallet (session, rounds, transactions) is written under its lock.
-- Rows are written at the place (ctid) where they were read under the lock: the planner has no other way that costs less,
--   so a plan made while a table was small stays right when it holds millions.
-- What it returns may grow, so it is made anew.
drop function if exists casino.execute_wallet_commands(integer, jsonb);
create function casino.execute_wallet_commands(p_ledger_id integer, p_commands jsonb)
returns table (
    o_place integer, o_outcome text, o_code text, o_field text, o_replay boolean, o_balance_minor bigint,
    o_currency text, o_tombstone boolean, o_already_rolled_back boolean, o_request_id text, o_head text
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
as $$
declare
    c_session_life constant interval := casino.session_life();
    -- Which formula casino.judge_wallet_commands hashes by.
    c_entry_formula constant smallint := 2;
    v_now constant timestamptz := casino.clock();
    v_locked_wallet_ids bigint[];
    v_judged casino.judged_command[];
    v_transaction_number xid8;
    v_wallet_twice boolean;
    v_has_entry boolean;
    v_has_debit boolean;
    v_has_credit boolean;
    v_has_rollback boolean;
    v_has_attempt boolean;
begin
    -- A statement of its own: the next one's snapshot then sees what the wallets' last holders committed.
    select casino.lock_wallets(p_ledger_id, array_agg(session.wallet_id)) into v_locked_wallet_ids
    from jsonb_to_recordset(p_commands) as command ("tokenHash" text, "playerId" text)
    join casino.game_sessions as session
        on session.ledger_id = p_ledger_id and session.token_hash = decode(command."tokenHash", 'hex')
        and session.player_id = command."playerId";

    select array_agg(judgement) into v_judged
    from casino.judge_wallet_commands(p_ledger_id, p_commands, v_locked_wallet_ids, v_now) as judgement;

    select
        count(*) filter (where outcome = 'committed' or remembered)
        <> count(distinct wallet_id) filter (where outcome = 'committed' or remembered),
        bool_or(outcome = 'committed' or remembered), bool_or(outcome = 'committed' and kind = 'debit'),
        bool_or(outcome = 'committed' and kind = 'credit'), bool_or(outcome = 'committed' and kind = 'rollback'),
        bool_or(replay or (code is not null and not remembered and wallet_id is not null))
    into v_wallet_twice, v_has_entry, v_has_debit, v_has_credit, v_has_rollback, v_has_attempt
    from unnest(v_judged);

    if v_wallet_twice then
        raise exception 'a batch holds at most one command per wallet' using errcode = 'cardinality_violation';
    end if;

    if v_has_attempt then
        perform casino.note_attempts(p_ledger_id, v_judged, v_now);
    end if;

    -- The answers are known; what follows writes them down. A batch that books nothing is spared that.
    return query
    select
        place, outcome, code, field, replay,
        case outcome when 'replayed' then answer_balance_minor when 'committed' then balance_minor + delta_minor end,
        currency, tombstone, already_rolled_back, answer_request_id, casino.head(entry_sequence_no, entry_hash)
    from unnest(v_judged)
    order by place;
    if not v_has_entry then
        return;
    end if;

    -- Drawn only now that the wallets are ours: see casino.lock_wallets.
    v_transaction_number := pg_catalog.pg_current_xact_id();

    -- The offset is read by the statement that inserts: its table lock is taken before its snapshot, and
    -- casino.move_feed_ahead waits for that lock. Read any earlier, the offset might be an old one.
    insert into casino.transactions (
        ledger_id, wallet_id, transaction_id, tenant_id, kind, session_id, round_id, amount_minor, currency,
        related_transaction_id, state, refusal_code, balance_after_minor, sequence_no, tombstone,
        already_rolled_back, reason, request_id, feed_position, recorded_at, entry_formula, entry_hash,
        answered_with_head, signed_by, clock_skew_seconds, received_at
    )
    select
        p_ledger_id, wallet_id, transaction_id, tenant_id, kind, session_id, round_id,
        case when remembered then amount_minor else abs(delta_minor) end, currency,
        related_id, outcome, code, balance_minor + delta_minor,
        entry_sequence_no, tombstone, already_rolled_back, reason, request_id,
        casino.feed_position(
            v_transaction_number, place, (select feed_offset from casino.ledgers where ledger_id = p_ledger_id)
        ),
        v_now, c_entry_formula, entry_hash, entry_hash is not null,
        signed_by, clock_skew_seconds, received_at
    from unnest(v_judged)
    where outcome = 'committed' or remembered;

    insert into casino.postings (ledger_id, wallet_id, transaction_id, account, tenant_id, amount_minor, currency)
    select p_ledger_id, wallet_id, transaction_id, side.account, tenant_id, side.sign * delta_minor, currency
    from unnest(v_judged)
    cross join (values ('wallet', 1), ('house_games', -1)) as side (account, sign)
    where outcome = 'committed' and delta_minor <> 0;

    update casino.wallets as wallet
    set
        balance_minor = wallet.balance_minor + booked.delta_minor, sequence_no = booked.entry_sequence_no,
        head_hash = booked.entry_hash
    from unnest(v_judged) as booked
    where wallet.ledger_id = p_ledger_id and wallet.ctid = booked.wallet_row and booked.outcome = 'committed';

    update casino.game_sessions as session
    set
        expires_at = case when booked.session_alive then v_now + c_session_life else session.expires_at end,
        staked_minor = case
            when booked.kind = 'credit' then session.staked_minor
            else casino.capped_sum(session.staked_minor, - booked.delta_minor)
        end,
        paid_minor = case
            when booked.kind = 'credit' then casino.capped_sum(session.paid_minor, booked.delta_minor)
            else session.paid_minor
        end,
        open_bets = session.open_bets + booked.open_bets_delta
    from unnest(v_judged) as booked
    where session.ledger_id = p_ledger_id and session.session_id = booked.session_id
        and booked.outcome = 'committed';

    insert into casino.events (
        ledger_id, feed_position, wallet_id, transaction_id, tenant_id, event_type, session_id, round_id, game_code,
        amount_minor, currency, recorded_at
    )
    select
        p_ledger_id,
        casino.feed_position(
            v_transaction_number, place, (select feed_offset from casino.ledgers where ledger_id = p_ledger_id)
        ),
        wallet_id, transaction_id, tenant_id,
        case when remembered then 'debit_refused' else kind end, session_id, round_id, game_code,
        case when remembered then amount_minor else abs(delta_minor) end, currency, v_now
    from unnest(v_judged)
    where outcome = 'committed' or remembered;

    -- What follows from one kind of command: a batch that has none of it is spared the statement.
    if v_has_debit then
        insert into casino.rounds as round (
            ledger_id, wallet_id, round_id, tenant_id, session_id, live_debits, staked_minor, opened_at
        )
        select p_ledger_id, wallet_id, round_id, tenant_id, session_id, 1, amount_minor, v_now
        from unnest(v_judged)
        where outcome = 'committed' and kind = 'debit'
        on conflict (ledger_id, wallet_id, round_id) do update
        set live_debits = round.live_debits + 1, staked_minor = round.staked_minor + excluded.staked_minor;
    end if;

    if v_has_credit then
        update casino.rounds as round
        set
            credits = round.credits + 1, paid_minor = round.paid_minor + credit.delta_minor,
            closed_at = coalesce(round.closed_at, case when credit.end_round then v_now end)
        from unnest(v_judged) as credit
        where round.ledger_id = p_ledger_id and round.ctid = credit.round_row
            and credit.outcome = 'committed' and credit.kind = 'credit';
    end if;

    if v_has_rollback then
        update casino.rounds as round
        set live_debits = round.live_debits - 1, staked_minor = round.staked_minor - reversal.delta_minor
        from unnest(v_judged) as reversal
        where round.ledger_id = p_ledger_id and round.ctid = reversal.round_row
            and reversal.outcome = 'committed' and reversal.bet_row is not null;

        update casino.transactions as bet
        set state = 'rolled_back'
        from unnest(v_judged) as reversal
        where bet.ledger_id = p_ledger_id and bet.ctid = reversal.bet_row and reversal.outcome = 'committed';

        insert into casino.tombstones (
            ledger_id, wallet_id, transaction_id, tenant_id, rollback_transaction_id, round_id, recorded_at
        )
        select p_ledger_id, wallet_id, related_id, tenant_id, transaction_id, round_id, v_now
        from unnest(v_judged)
        where outcome = 'committed' and tombstone
        on conflict (ledger_id, wallet_id, transaction_id) do nothing;
    end if;
end;
$$;
