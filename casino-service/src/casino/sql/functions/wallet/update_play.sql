-- Purpose: what follows for sessions, rounds, bets and tombstones from wallet commands that were booked, of these kinds.
-- Kinds: `debit` opens a round, `further debit` is of a round that is there, `credit`, `rollback`.
-- Rows are written at the place (ctid) where they were read under the wallet's lock: the planner has no other way that costs
--   less, so a plan made while a table was small stays right when it holds millions.
-- Lock order: under the wallets' locks, which the caller holds.
create or replace function casino.update_play(
    p_ledger_id integer, p_judged casino.judgement [], p_kinds text [], p_now timestamptz
)
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
as $$
declare
    c_session_life constant interval := casino.session_life();
begin
    update casino.game_sessions as session
    set
        expires_at = case when booked.session_alive then p_now + c_session_life else session.expires_at end,
        staked_minor = case
            when booked.kind = 'credit' then session.staked_minor
            else casino.capped_sum(session.staked_minor, - booked.delta_minor)
        end,
        paid_minor = case
            when booked.kind = 'credit' then casino.capped_sum(session.paid_minor, booked.delta_minor)
            else session.paid_minor
        end,
        open_bets = session.open_bets + booked.open_bets_delta,
        last_bet_at = case when booked.kind = 'debit' then p_now else session.last_bet_at end
    from unnest(p_judged) as booked
    where session.ledger_id = p_ledger_id and session.session_id = booked.session_id
        and booked.outcome = 'committed';

    -- What follows from one kind of command: a batch that has none of it is spared the statement.
    if 'debit' = any (p_kinds) then
        insert into casino.rounds (
            ledger_id, wallet_id, round_id, tenant_id, provider_id, session_id, live_debits, staked_minor, opened_at
        )
        select p_ledger_id, wallet_id, round_id, tenant_id, provider_id, session_id, 1, amount_minor, p_now
        from unnest(p_judged)
        where outcome = 'committed' and kind = 'debit' and round_row is null;
    end if;

    if 'further debit' = any (p_kinds) then
        update casino.rounds as round
        set live_debits = round.live_debits + 1, staked_minor = round.staked_minor + debit.amount_minor, ended_at = null
        from unnest(p_judged) as debit
        where round.ledger_id = p_ledger_id and round.ctid = debit.round_row
            and debit.outcome = 'committed' and debit.kind = 'debit';
    end if;

    if 'credit' = any (p_kinds) then
        update casino.rounds as round
        set
            credits = round.credits + 1, paid_minor = round.paid_minor + credit.delta_minor,
            closed_at = coalesce(round.closed_at, case when credit.end_round then p_now end),
            ended_at = coalesce(round.ended_at, p_now)
        from unnest(p_judged) as credit
        where round.ledger_id = p_ledger_id and round.ctid = credit.round_row
            and credit.outcome = 'committed' and credit.kind = 'credit';
    end if;

    if 'rollback' = any (p_kinds) then
        update casino.rounds as round
        set
            live_debits = round.live_debits - 1, staked_minor = round.staked_minor - reversal.delta_minor,
            ended_at = case when round.live_debits = 1 then p_now end
        from unnest(p_judged) as reversal
        where round.ledger_id = p_ledger_id and round.ctid = reversal.round_row
            and reversal.outcome = 'committed' and reversal.bet_row is not null;

        update casino.transactions as bet
        set state = 'rolled_back'
        from unnest(p_judged) as reversal
        where bet.ledger_id = p_ledger_id and bet.ctid = reversal.bet_row and reversal.outcome = 'committed';

        insert into casino.tombstones (
            ledger_id, wallet_id, transaction_id, tenant_id, provider_id, rollback_transaction_id, round_id, recorded_at
        )
        select p_ledger_id, wallet_id, related_id, tenant_id, provider_id, transaction_id, round_id, p_now
        from unnest(p_judged)
        where outcome = 'committed' and tombstone
        on conflict (ledger_id, wallet_id, transaction_id, provider_id) do nothing;
    end if;
end;
$$;
