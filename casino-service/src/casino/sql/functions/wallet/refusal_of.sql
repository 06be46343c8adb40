-- Purpose: why a wallet command is refused. The one place that knows the order of refusals of protocol.md 4 (2).
-- Outcome: the first code that applies, or null. A repeated id finds its first answer before every gate.
-- Without a `set` clause, so that it is inlined. `begin atomic` resolves its names now: the caller's search_path does not matter.
create or replace function casino.refusal_of(p_seen casino.seen_command)
returns text
language sql immutable parallel safe
begin atomic
    select case
        when p_seen.session_id is null then 'session_not_found'
        -- Its tenant is none of this ledger, or not that of the wallet.
        when p_seen.tenant_open is null or p_seen.session_tenant_id <> p_seen.tenant_id then 'session_not_found'
        when p_seen.session_player_id <> p_seen.player_id then 'session_player_mismatch'
        when p_seen.wallet_id is null then 'session_busy'
        when p_seen.first_state is not null
            then case when p_seen.differing_field is null then p_seen.first_code else 'idempotency_mismatch' end
        when p_seen.kind = 'debit' and p_seen.entombed then 'transaction_rolled_back'
        -- The id is a bet's, although the bet never came.
        when p_seen.kind <> 'debit' and p_seen.entombed then 'idempotency_mismatch'
        when p_seen.kind = 'debit' and not p_seen.session_alive then 'session_expired'
        when p_seen.currency <> p_seen.session_currency then 'currency_mismatch'
        when p_seen.round_session_id <> p_seen.session_id then 'round_mismatch'
        when p_seen.kind = 'debit' then case
            when p_seen.credits > 0 then 'round_has_payout'
            when not p_seen.tenant_open or p_seen.stop_reason is not null then 'play_stopped'
            when p_seen.draining then 'provider_draining'
            when p_seen.excluded then 'player_excluded'
            when p_seen.blocked then 'wallet_blocked'
            when p_seen.cooling_down then 'cooldown_active'
            when p_seen.bonus_ack_required then 'bonus_ack_required'
            when p_seen.over_loss_limit then 'limit_exceeded'
            when p_seen.over_time_limit then 'session_time_limit'
            when p_seen.amount_minor < p_seen.stake_min_minor then 'stake_too_low'
            when p_seen.amount_minor > p_seen.stake_max_minor or p_seen.over_round_total then 'stake_too_high'
            when p_seen.amount_minor > p_seen.balance_minor then 'insufficient_balance'
        end
        when p_seen.kind = 'credit' then case
            when p_seen.related_id is null and p_seen.round_session_id is null then 'no_matching_bet'
            when p_seen.related_id is null and p_seen.live_debits = 0 then 'bet_rolled_back'
            when p_seen.related_id is not null and (
                p_seen.bet_kind is distinct from 'debit' or p_seen.bet_state = 'refused'
                or p_seen.bet_round_id <> p_seen.round_id
            ) then 'no_matching_bet'
            when p_seen.bet_state = 'rolled_back' then 'bet_rolled_back'
            when p_seen.over_win_cap or p_seen.amount_minor > casino.balance_max() - p_seen.balance_minor
                then 'win_cap_exceeded'
        end
        when p_seen.kind = 'rollback' then case
            when p_seen.bet_state = 'unseen' then null
            when p_seen.bet_kind <> 'debit' then 'not_a_bet'
            when p_seen.bet_session_id <> p_seen.session_id or p_seen.bet_round_id <> p_seen.round_id
                then 'round_mismatch'
            when p_seen.bet_state = 'committed' and p_seen.credits > 0 then 'round_has_payout'
            when p_seen.bet_state = 'committed'
                and p_seen.bet_amount_minor > casino.balance_max() - p_seen.balance_minor then 'win_cap_exceeded'
        end
    end;
end;
