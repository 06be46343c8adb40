-- Purpose: read what the judgement of a batch of wallet commands depends on. The caller has locked the wallets.
-- Input: a JSON array of the objects below; what is null may be left out. relatedId: the debit that a credit answers or that
--   a rollback reverses. providerId: the peer whose key signed, for whom no other's sessions, rounds and transactions are there.
--   place: its place in its batch (casino.turns_of), if it is another than in the array.
-- Outcome: one row per command, by its place from 0. wallet_id is null where another transaction holds the wallet.
-- Each `lateral ... limit 1` stays a look-up by key when a table has grown. casino.capped_sum stops at 9223372036854775807.
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
create or replace function casino.read_wallet_commands(
    p_ledger_id integer, p_commands jsonb, p_locked_wallet_ids bigint[], p_now timestamptz
)
returns setof casino.seen_command
language sql stable
begin atomic
    select
        coalesce(command."batchPlace", (command.place - 1)::integer) as place, command.kind, command."playerId" as player_id,
        command."transactionId" as transaction_id, command."roundId" as round_id,
        coalesce(command.amount, 0) as amount_minor, command.currency, command."relatedId" as related_id,
        coalesce(command."endRound", false) as end_round, command.reason, command."requestId" as request_id,
        command."signedBy" as signed_by, command."clockSkewSeconds" as clock_skew_seconds,
        to_timestamp(0) + command."receivedUs" * interval '1 microsecond' as received_at,
        session.session_id, session.player_id as session_player_id, session.currency as session_currency,
        session.closed_at is null and session.expires_at > p_now as session_alive, session.provider_id,
        session.game_code, session.stake_min_minor, session.stake_max_minor,
        -- A total at the end of its counter says no more what was lost: whoever has a limit is at it.
        session.loss_limit_minor is not null and (
            session.staked_minor = 9223372036854775807 or session.staked_minor::numeric - session.paid_minor
            + coalesce(command.amount, 0) > session.loss_limit_minor
        ) or bound.loss_period is not null as over_loss_limit,
        coalesce(command.amount, 0) > casino.win_cap(session.win_cap_minor, session.stake_max_minor)
            - coalesce(round.paid_minor, 0) as over_win_cap,
        coalesce(command.amount, 0) > 9223372036854775807 - coalesce(round.staked_minor, 0) as over_round_total,
        wallet.wallet_id, wallet.ctid as wallet_row, wallet.tenant_id, wallet.balance_minor, wallet.blocked_at is not null as blocked,
        wallet.excluded_until > p_now as excluded,
        wallet.cooldown_until > p_now or wallet.stopped_play_session_id = session.play_session_id as cooling_down,
        round.ctid as round_row, round.session_id as round_session_id, round.live_debits,
        coalesce(round.credits, 0) as credits,
        first.state as first_state, first.refusal_code as first_code, first.tombstone as first_tombstone,
        first.already_rolled_back as first_already_rolled_back, first.request_id as first_request_id,
        first.balance_after_minor as first_balance_minor,
        case when first.answered_with_head then coalesce(casino.head(first.sequence_no, first.entry_hash), '') end as first_head,
        case
            -- A tombstone stands for a bet. A transaction that was recorded under its id comes first.
            when coalesce(first.kind, case when stone.transaction_id is not null then 'debit' end) <> command.kind
                then 'endpoint'
            when first.session_id is distinct from session.session_id then 'sessionToken'
            when first.round_id is distinct from command."roundId" then 'roundId'
            when command.kind <> 'rollback' and first.amount_minor <> coalesce(command.amount, 0) then 'amount'
            when first.currency <> coalesce(command.currency, session.currency) then 'currency'
            when first.related_transaction_id is distinct from command."relatedId"
                then case command.kind when 'rollback' then 'originalTransactionId' else 'relatedTransactionId' end
        end as differing_field,
        bet.ctid as bet_row, bet.kind as bet_kind, bet.session_id as bet_session_id, bet.round_id as bet_round_id,
        bet.amount_minor as bet_amount_minor, coalesce(bet.state, 'unseen') as bet_state,
        stone.transaction_id is not null as entombed, bet_stone.transaction_id is not null as bet_entombed,
        session.tenant_id as session_tenant_id, tenant.is_open as tenant_open, coalesce(command.draining, false) as draining,
        case
            when first.state is not null then case when first.refusal_code = 'play_stopped' then first.reason end
            when tenant.has_stops and command.kind = 'debit' then casino.stop_of(
                p_ledger_id, session.tenant_id, session.provider_id, session.game_code, session.player_id
            )
        end as stop_reason,
        wallet.bonus_ack_required, wallet.pending_bonus_minor,
        case when first.state is not null and command.kind <> 'debit' then (
            select amount_minor from casino.bonuses
            where ledger_id = p_ledger_id and wallet_id = wallet.wallet_id and transaction_id = command."transactionId"
                and provider_id = session.provider_id limit 1
        ) end as first_bonus_minor,
        session.play_session_id, wallet.has_limits, bound.over_time_limit, bound.counter_row, bound.counter_is_old,
        bound.played_from,
        bet.recorded_at as bet_recorded_at
    from rows from (
        jsonb_to_recordset(p_commands) as (
            kind text, "tokenHash" text, "playerId" text, "transactionId" text, "roundId" text, amount bigint,
            currency text, "relatedId" text, "endRound" boolean, reason text, "requestId" text,
            "signedBy" text, "clockSkewSeconds" integer, "receivedUs" bigint, "providerId" text, draining boolean, place integer
        )
    ) with ordinality as command (
        kind, "tokenHash", "playerId", "transactionId", "roundId", amount, currency, "relatedId", "endRound",
        reason, "requestId", "signedBy", "clockSkewSeconds", "receivedUs", "providerId", draining, "batchPlace", place
    )
    left join lateral (
        select * from casino.game_sessions
        where ledger_id = p_ledger_id and token_hash = decode(command."tokenHash", 'hex')
            and provider_id = coalesce(command."providerId", 'main') limit 1
    ) as session on true
    left join lateral (
        select is_open, has_stops, timezone from casino.tenants where ledger_id = p_ledger_id and tenant_id = session.tenant_id limit 1
    ) as tenant on true
    left join lateral (
        select ctid, * from casino.wallets
        where ledger_id = p_ledger_id and wallet_id = session.wallet_id and session.wallet_id = any (p_locked_wallet_ids)
            and session.player_id = command."playerId" limit 1
    ) as wallet on true
    left join lateral casino.limits_of_bet(
        p_ledger_id, wallet.wallet_id, wallet.has_limits, command.kind = 'debit', session.play_session_id, tenant.timezone,
        coalesce(command.amount, 0), p_now
    ) as bound on true
    left join lateral (
        select * from casino.transactions
        where ledger_id = p_ledger_id and wallet_id = wallet.wallet_id and transaction_id = command."transactionId"
            and provider_id = session.provider_id limit 1
    ) as first on true
    left join lateral (
        select ctid, * from casino.rounds
        where ledger_id = p_ledger_id and wallet_id = wallet.wallet_id and round_id = command."roundId"
            and provider_id = session.provider_id limit 1
    ) as round on true
    left join lateral (
        select ctid, * from casino.transactions
        where ledger_id = p_ledger_id and wallet_id = wallet.wallet_id and transaction_id = command."relatedId"
            and provider_id = session.provider_id limit 1
    ) as bet on true
    left join lateral (
        select * from casino.tombstones
        where ledger_id = p_ledger_id and wallet_id = wallet.wallet_id and transaction_id = command."transactionId"
            and provider_id = session.provider_id limit 1
    ) as stone on true
    left join lateral (
        select * from casino.tombstones
        where ledger_id = p_ledger_id and wallet_id = wallet.wallet_id and transaction_id = command."relatedId"
            and provider_id = session.provider_id limit 1
    ) as bet_stone on true
    offset 0; -- a fence: casino.refusal_of is inlined for columns, not for expressions
end;
