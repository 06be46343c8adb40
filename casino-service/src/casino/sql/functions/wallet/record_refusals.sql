-- Purpose: record what a batch refuses for ever: each such command stands as `refused` under its id, with its event. It moves
--   nothing, has no place in the wallet's chain, and answers the same whenever it is asked again. answered_with_head: with all
--   that an answer has since there are heads; the release before left it false, and gave no playerMessage.
-- Lock order: under the wallets' locks, which the caller holds.
create or replace function casino.record_refusals(
    p_ledger_id integer, p_judged casino.judgement [], p_now timestamptz
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
#variable_conflict use_column
declare
    -- Drawn only now that the wallets are held: see casino.lock_wallets.
    v_transaction_number constant xid8 := pg_catalog.pg_current_xact_id();
begin
    -- The feed's offset is read by the statement that inserts: see casino.book_entries.
    with refused as materialized (
        select
            judged.*, wallet.balance_minor, wallet.player_id, wallet.agent_id, wallet.cashier_id,
            (
                select region_in_force from casino.tenants
                where ledger_id = p_ledger_id and tenant_id = wallet.tenant_id
            ) as region
        from unnest(p_judged) as judged
        cross join lateral (
            select * from casino.wallets
            where ledger_id = p_ledger_id and wallet_id = judged.wallet_id limit 1
        ) as wallet
        where judged.remembered
            and judged.kind in (select entry_kind from casino.entry_kinds where remembers_refusals)
    ),
    told as (
        insert into casino.ledger_events (
            ledger_id, at, tenant_id, event_type, action_id, player_id, session_id, round_id, game_key, provider_id,
            region, agent_id, cashier_id, amount_minor, currency, code, route
        )
        select
            p_ledger_id, p_now, tenant_id, 'ERROR',
            casino.action_id(true, provider_id, player_id, wallet_id, kind, transaction_id, related_id),
            player_id, session_id::text, round_id, game_code, provider_id, region, agent_id, cashier_id,
            amount_minor, currency, code, '/casino/' || kind
        from refused
    )
    insert into casino.transactions (
        ledger_id, wallet_id, transaction_id, tenant_id, provider_id, kind, session_id, round_id, amount_minor, currency,
        related_transaction_id, state, refusal_code, balance_after_minor, reason, request_id, feed_position, recorded_at,
        entry_formula, answered_with_head, signed_by, clock_skew_seconds, received_at
    )
    select
        p_ledger_id, wallet_id, transaction_id, tenant_id, provider_id, kind, session_id, round_id, amount_minor, currency,
        related_id, 'refused', code, balance_minor, reason, request_id,
        casino.feed_position(
            v_transaction_number, place, (select feed_offset from casino.ledgers where ledger_id = p_ledger_id)
        ),
        p_now, 2, true, signed_by, clock_skew_seconds, received_at
    from refused;

    -- The refusal itself shows the action to the player. Its evidence names the first limit that was reached. `gameSession` is the one
    -- that a launch sets, which no limit of the player's is.
    perform casino.note_safety_action(
        p_ledger_id, judged.wallet_id, judged.play_session_id, 'STOP', 0, '{LOSS_LIMIT}',
        jsonb_build_object(
            'stakeMinor', judged.amount_minor, 'roundId', judged.round_id, 'gameKey', judged.game_code,
            'period', coalesce(bound.loss_period, 'gameSession'),
            'limitMinor', coalesce(bound.loss_limit_minor, session.loss_limit_minor),
            'lossMinor', coalesce(bound.loss_minor, session.staked_minor::numeric - session.paid_minor)
        ),
        true, p_now
    )
    from unnest(p_judged) as judged
    join casino.game_sessions as session on session.ledger_id = p_ledger_id and session.session_id = judged.session_id
    join casino.tenants as tenant on tenant.ledger_id = p_ledger_id and tenant.tenant_id = judged.tenant_id
    left join lateral casino.limits_of_bet(
        p_ledger_id, judged.wallet_id, judged.has_limits, true, judged.play_session_id, tenant.timezone, judged.amount_minor, p_now
    ) as bound on true
    where judged.remembered and judged.code = 'limit_exceeded';
end;
$$;
