-- Purpose: decide and book a batch of debits, credits and rollbacks of one ledger, in one step.
-- Input: casino.read_wallet_commands. Outcomes: casino.judge_batch, one row per command; o_place says which. Refusals are
--   outcomes, never exceptions: a refused command does not disturb its neighbours. A refusal that is remembered is booked as
--   `refused` and answers the same for ever; no other refusal leaves a trace.
-- Steps: hold wallets and nonces (casino.hold_batch). Then for each turn (casino.turns_of): judge, book (casino.book_entries),
--   write what follows for the play (casino.update_play), grant the bonuses that are due (casino.grant_bonuses), tell webhooks
--   of rounds that ended (casino.tell_rounds), look after the player (casino.watch_play), and count for players with limits
--   (casino.count_play).
--   Several commands of one wallet are in turns of their own. A used nonce refuses its command before everything else.
-- Lock order: casino.hold_batch. Everything below a wallet (session, rounds, transactions) is written under its lock.
create or replace function casino.execute_wallet_commands(p_ledger_id integer, p_commands jsonb)
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
    v_held record;
    v_commands jsonb;
    v_now timestamptz;
    v_judged casino.judgement[];
    v_entries casino.entry[];
    v_booked casino.booked_entry[];
    v_kinds text[];
    v_has_refusal boolean;
    v_has_attempt boolean;
    v_may_grant boolean;
begin
    v_held := casino.hold_batch(p_ledger_id, p_commands);
    if cardinality(v_held.o_replays) > 0 then
        return query
        select
            place, 'refused', 'nonce_replay', null, false, null::bigint, null, false, false,
            p_commands -> place ->> 'requestId', null
        from unnest(v_held.o_replays) as place;
    end if;

    foreach v_commands in array v_held.o_turns loop
        v_now := casino.clock();
        v_judged := casino.judge_batch(p_ledger_id, v_commands, v_held.o_wallet_ids, v_now);

        select
            array_agg((
                place, 1, wallet_id, wallet_row, kind, transaction_id, provider_id, session_id, round_id, game_code,
                abs(delta_minor), delta_minor, currency, related_id,
                array['house_games'], array[- delta_minor], tombstone, already_rolled_back, reason, request_id,
                signed_by, clock_skew_seconds, received_at, null, null, null, null
            )::casino.entry) filter (where outcome = 'committed'),
            array[
                case when bool_or(outcome = 'committed' and kind = 'debit' and round_row is null) then 'debit' end,
                case when bool_or(outcome = 'committed' and kind = 'debit' and round_row is not null) then 'further debit' end,
                case when bool_or(outcome = 'committed' and kind = 'credit') then 'credit' end,
                case when bool_or(outcome = 'committed' and kind = 'rollback') then 'rollback' end,
                case when bool_or(ends_round) then 'ended' end,
                case when bool_or(counter_row is not null and (outcome = 'committed' or remembered)) then 'counted' end
            ],
            bool_or(remembered), bool_or(replay or (code is not null and not remembered and wallet_id is not null)),
            bool_or(may_grant)
        into v_entries, v_kinds, v_has_refusal, v_has_attempt, v_may_grant
        from unnest(v_judged);

        if v_has_refusal then
            perform casino.record_refusals(p_ledger_id, v_judged, v_now);
        end if;

        if v_has_attempt then
            perform casino.note_attempts(p_ledger_id, v_judged, v_now);
        end if;

        v_booked := null;
        if v_entries is not null then
            v_booked := casino.book_entries(p_ledger_id, v_entries, v_now);
            perform casino.update_play(p_ledger_id, v_judged, v_kinds, v_now);
            if v_may_grant then
                v_booked := casino.grant_bonuses(p_ledger_id, v_judged, v_booked, v_now);
            end if;
            if 'ended' = any (v_kinds) then
                perform casino.tell_rounds(p_ledger_id, v_judged);
                perform casino.watch_play(p_ledger_id, v_judged, v_now);
            end if;
        end if;

        if 'counted' = any (v_kinds) then
            perform casino.count_play(p_ledger_id, v_judged, v_now);
        end if;

        return query
        select
            place, outcome, code, field, replay, case when outcome = 'replayed' then first_balance_minor end, currency,
            tombstone, already_rolled_back, coalesce(first_request_id, request_id),
            case when outcome = 'replayed' then first_head end
        from unnest(v_judged)
        where outcome <> 'committed'
        union all
        select
            place, 'committed', null, null, false, balance_after_minor, currency, tombstone, already_rolled_back,
            request_id, casino.head(sequence_no, entry_hash)
        from unnest(v_booked)
        order by 1;
    end loop;
end;
$$;
