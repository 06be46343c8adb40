-- Purpose: judge a batch of wallet commands of one ledger whose wallets the caller has locked. It writes nothing.
-- Input: a JSON array of {kind, tokenHash (hex), playerId, transactionId, roundId, amount, currency, relatedId, endRound,
--   reason, requestId, signedBy, clockSkewSeconds, receivedUs}; what is null may be left out. relatedId is the debit that a credit answers or that a rollback reverses.
-- Outcomes, one row per command, by its place in the array from 0:
--   committed  to be booked, moving delta_minor on the wallet;  replayed  booked before: the first answer;
--   refused    with its code, and its detail: the field that differs, or the bound that a stake breaks;  busy  another transaction holds the wallet.
-- This is the one place that knows the order of refusals of protocol.md 4 (2).
-- Each `lateral ... limit 1` is a look-up by key that the planner cannot turn around: a plan that was made while a table was
-- small must stay right when it holds millions.
create or replace function casino.judge_wallet_commands(
    p_ledger_id integer, p_commands jsonb, p_locked_wallet_ids bigint[], p_now timestamptz
)
returns setof casino.judged_command
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
    -- No balance is above this (constraint balance_within_bounds), so that no sum of two can overflow a bigint.
    c_balance_max constant bigint := 4611686018427387904;
    -- Where casino.capped_sum stops.
    c_total_max constant bigint := 9223372036854775807;
begin
    return query
    with command as materialized (
        select
            (item.place - 1)::integer as place, item.kind, decode(item."tokenHash", 'hex') as token_hash,
            item."playerId" as player_id, item."transactionId" as transaction_id, item."roundId" as round_id,
            coalesce(item.amount, 0) as amount_minor, item.currency, item."relatedId" as related_id,
            coalesce(item."endRound", false) as end_round, item.reason, item."requestId" as request_id,
            item."signedBy" as signed_by, item."clockSkewSeconds" as clock_skew_seconds,
            to_timestamp(0) + item."receivedUs" * interval '1 microsecond' as received_at
        from rows from (
            jsonb_to_recordset(p_commands) as (
                kind text, "tokenHash" text, "playerId" text, "transactionId" text, "roundId" text, amount bigint,
                currency text, "relatedId" text, "endRound" boolean, reason text, "requestId" text,
                "signedBy" text, "clockSkewSeconds" integer, "receivedUs" bigint
            )
        ) with ordinality as item (
            kind, "tokenHash", "playerId", "transactionId", "roundId", amount,
            currency, "relatedId", "endRound", reason, "requestId",
            "signedBy", "clockSkewSeconds", "receivedUs", place
        )
    ),
    seen as materialized (
        select
            command.*, session.session_id, session.player_id as session_player_id, session.currency as session_currency,
            session.tenant_id, session.game_code, session.stake_min_minor, session.stake_max_minor,
            session.closed_at is null and session.expires_at > p_now as session_alive,
            -- A total at the end of its counter says no more what was lost: whoever has a limit is at it.
            session.loss_limit_minor is not null and (
                session.staked_minor = c_total_max or session.staked_minor::numeric - session.paid_minor
                + command.amount_minor > session.loss_limit_minor
            ) as over_loss_limit,
            command.amount_minor > casino.win_cap(session.win_cap_minor, session.stake_max_minor)
                - coalesce(round.paid_minor, 0) as over_win_cap,
            command.amount_minor > c_total_max - coalesce(round.staked_minor, 0) as over_round_total,
            wallet.ctid as wallet_row, round.ctid as round_row, bet.ctid as bet_row,
            wallet.wallet_id, wallet.balance_minor, wallet.sequence_no, wallet.head_hash,
            wallet.blocked_at is not null as blocked,
            wallet.excluded_until > p_now as excluded, wallet.cooldown_until > p_now as cooling_down,
            round.session_id as round_session_id, round.live_debits, coalesce(round.credits, 0) as credits,
            first.state as first_state, first.refusal_code as first_code, first.tombstone as first_tombstone,
            first.already_rolled_back as first_already_rolled_back, first.request_id as first_request_id,
            first.balance_after_minor as first_balance_minor, first.sequence_no as first_sequence_no,
            case when first.answered_with_head then first.entry_hash end as first_entry_hash,
            case
                when first.kind <> command.kind then 'endpoint'
                when first.session_id is distinct from session.session_id then 'sessionToken'
                when first.round_id is distinct from command.round_id then 'roundId'
                when command.kind <> 'rollback' and first.amount_minor <> command.amount_minor then 'amount'
                when first.currency <> coalesce(command.currency, session.currency) then 'currency'
                when first.related_transaction_id is distinct from command.related_id
                    then case command.kind when 'rollback' then 'originalTransactionId' else 'relatedTransactionId' end
            end as differing_field,
            bet.kind as bet_kind, bet.session_id as bet_session_id, bet.round_id as bet_round_id,
            bet.amount_minor as bet_amount_minor, coalesce(bet.state, 'unseen') as bet_state,
            stone.transaction_id is not null as entombed, bet_stone.transaction_id is not null as bet_entombed
        from command
        left join lateral (
            select * from casino.game_sessions
            where ledger_id = p_ledger_id and token_hash = command.token_hash limit 1
        ) as session on true
        left join lateral (
            select ctid, * from casino.wallets
            where ledger_id = p_ledger_id and wallet_id = session.wallet_id and wallet_id = any (p_locked_wallet_ids)
                and session.player_id = command.player_id limit 1
        ) as wallet on true
        left join lateral (
            select ctid, * from casino.transactions
            where ledger_id = p_ledger_id and wallet_id = wallet.wallet_id
                and transaction_id = command.transaction_id limit 1
        ) as first on true
        left join lateral (
            select ctid, * from casino.rounds
            where ledger_id = p_ledger_id and wallet_id = wallet.wallet_id and round_id = command.round_id limit 1
        ) as round on true
        left join lateral (
            select ctid, * from casino.transactions
            where ledger_id = p_ledger_id and wallet_id = wallet.wallet_id and transaction_id = command.related_id limit 1
        ) as bet on true
        left join lateral (
            select * from casino.tombstones
            where ledger_id = p_ledger_id and wallet_id = wallet.wallet_id
                and transaction_id = command.transaction_id limit 1
        ) as stone on true
        left join lateral (
            select * from casino.tombstones
            where ledger_id = p_ledger_id and wallet_id = wallet.wallet_id and transaction_id = command.related_id limit 1
        ) as bet_stone on true
    ),
    judged as materialized (
        select
            seen.*,
            case
                when session_id is null then 'session_not_found'
                when session_player_id <> player_id then 'session_player_mismatch'
                when wallet_id is null then 'session_busy'
                when first_state is not null
                    then case when differing_field is null then first_code else 'idempotency_mismatch' end
                when kind = 'debit' and entombed then 'transaction_rolled_back'
                when kind = 'debit' and not session_alive then 'session_expired'
                when currency <> session_currency then 'currency_mismatch'
                when round_session_id <> session_id then 'round_mismatch'
                when kind = 'debit' then case
                    when credits > 0 then 'round_has_payout'
                    when excluded then 'player_excluded'
                    when blocked then 'wallet_blocked'
                    when over_loss_limit then 'limit_exceeded'
                    when cooling_down then 'cooldown_active'
                    when amount_minor < stake_min_minor then 'stake_too_low'
                    when amount_minor > stake_max_minor or over_round_total then 'stake_too_high'
                    when amount_minor > balance_minor then 'insufficient_balance'
                end
                when kind = 'credit' then case
                    when related_id is null and round_session_id is null then 'no_matching_bet'
                    when related_id is null and live_debits = 0 then 'bet_rolled_back'
                    when related_id is not null and (
                        bet_kind is distinct from 'debit' or bet_state = 'refused' or bet_round_id <> round_id
                    ) then 'no_matching_bet'
                    when bet_state = 'rolled_back' then 'bet_rolled_back'
                    when over_win_cap or balance_minor + amount_minor > c_balance_max then 'win_cap_exceeded'
                end
                when kind = 'rollback' then case
                    when bet_state = 'unseen' then null
                    when bet_kind <> 'debit' then 'not_a_bet'
                    when bet_session_id <> session_id or bet_round_id <> round_id then 'round_mismatch'
                    when bet_state = 'committed' and credits > 0 then 'round_has_payout'
                    when bet_state = 'committed' and balance_minor + bet_amount_minor > c_balance_max
                        then 'win_cap_exceeded'
                end
            end as code
        from seen
    ),
    decided as (
        select
            judged.*,
            case
                when code = 'session_busy' then 'busy'
                when code is not null then 'refused'
                when first_state is not null then 'replayed'
                else 'committed'
            end as outcome,
            case
                when code is not null or first_state is not null then 0
                when kind = 'debit' then - amount_minor
                when kind = 'credit' then amount_minor
                when bet_state = 'committed' then bet_amount_minor
                else 0
            end as delta_minor,
            coalesce(first_tombstone, kind = 'rollback' and bet_state in ('unseen', 'refused')) as tombstone,
            coalesce(
                first_already_rolled_back, kind = 'rollback' and (bet_state = 'rolled_back' or bet_entombed)
            ) as already_rolled_back
        from judged
    )
    select
        place, kind, transaction_id, round_id, amount_minor, related_id, end_round, reason, request_id,
        tenant_id, wallet_id, session_id, session_alive, game_code, session_currency,
        balance_minor, sequence_no, wallet_row, round_row,
        case when kind = 'rollback' and bet_state = 'committed' then bet_row end,
        outcome, code,
        case
            when code = 'idempotency_mismatch' then differing_field
            when code = 'stake_too_low' then stake_min_minor::text
            when code = 'stake_too_high' and amount_minor > stake_max_minor then stake_max_minor::text
        end,
        coalesce(
            first_state is null and wallet_id is not null and code in (
                'player_excluded', 'wallet_blocked', 'limit_exceeded', 'cooldown_active', 'insufficient_balance'
            ),
            false
        ),
        first_state is not null and differing_field is null,
        delta_minor, first_balance_minor, tombstone, already_rolled_back,
        case when differing_field is null then coalesce(first_request_id, request_id) else request_id end,
        case outcome when 'committed' then sequence_no + 1 when 'replayed' then first_sequence_no end,
        case outcome
            when 'committed' then casino.entry_hash_2(
                head_hash, p_ledger_id, wallet_id, sequence_no + 1, transaction_id, kind, session_id, round_id,
                abs(delta_minor), session_currency, related_id, balance_minor + delta_minor, tombstone,
                already_rolled_back, casino.entry_details(p_now, request_id, signed_by)
            )
            when 'replayed' then first_entry_hash
        end,
        case
            when code is not null or first_state is not null then 0
            when kind = 'debit' then 1
            when kind = 'credit' and credits = 0 then - live_debits
            when kind = 'rollback' and bet_state = 'committed' then -1
            else 0
        end,
        signed_by, clock_skew_seconds, received_at
    from decided;
end;
$$;
