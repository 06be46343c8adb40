-- Only for processes of the release before, which may run beside this one. Delete this folder in the next release.
-- Purpose: record a payout before it is sent. From now on the outbox sends it until the wallet answers.
-- Outcomes: 'recorded'; 'round_closed'; 'no_live_bet' (its bet is not a committed bet of this round); 'round_in_doubt'
--   (a bet or rollback of the round is pending, and after a payout the wallet refuses rollbacks).
-- Locks: the round.
create or replace function provider.record_credit(
    p_transaction_id uuid,
    p_related_transaction_id uuid,
    p_round_id uuid,
    p_amount_minor bigint,
    p_end_round boolean,
    p_reason text,
    p_request_id text,
    p_lease_seconds double precision
)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_bet provider.wallet_transactions;
    v_round_state text;
    v_lease_until timestamptz;
begin
    select r.state into v_round_state from provider.rounds as r where r.round_id = p_round_id for no key update;
    if v_round_state is distinct from 'open' then
        return 'round_closed';
    end if;
    if exists (
        select from provider.wallet_transactions as t
        where t.round_id = p_round_id and t.state = 'pending' and t.kind in ('debit', 'rollback')
    ) then
        return 'round_in_doubt';
    end if;
    select t.* into v_bet
    from provider.wallet_transactions as t
    where t.transaction_id = p_related_transaction_id and t.round_id = p_round_id
        and t.kind = 'debit' and t.state = 'committed';
    if not found then
        return 'no_live_bet';
    end if;
    v_lease_until := provider.clock() + make_interval(secs => p_lease_seconds);
    insert into provider.wallet_transactions (
        transaction_id, kind, reason, provider_session_id, round_id, amount_minor, currency,
        related_transaction_id, end_round, request_id, due_at
    )
    values (
        p_transaction_id, 'credit', p_reason, v_bet.provider_session_id, p_round_id, p_amount_minor, v_bet.currency,
        p_related_transaction_id, p_end_round, p_request_id, v_lease_until
    );
    update provider.rounds set lease_until = v_lease_until where round_id = p_round_id;
    return 'recorded';
end;
$$;
