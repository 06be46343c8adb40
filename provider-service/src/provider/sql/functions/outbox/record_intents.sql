-- Purpose: record calls before they are sent, one per session, and lease them and their rounds to the caller.
-- Outcomes, per session: 'recorded', or the first reason against it:
--   'given_up': the outcome that came before in the same step does not count, because recovery was faster.
--   A bet: 'session_not_found' (of this session there is no such round), 'session_stopped', 'round_closed',
--     'session_busy' (a bet or rollback of the session is pending), 'round_has_payout'.
--   A payout: 'round_closed', 'round_in_doubt' (a bet or rollback of the round is pending, and after a payout the wallet
--     refuses rollbacks), 'no_live_bet' (its bet is not a committed bet of this round). Once recorded, the outbox sends
--     it until the wallet answers.
--   A rollback: 'round_not_found'. The round may have ended: the wallet decides. The amount is the bet's, or 0 when the
--     bet is not in this round.
--   'already_recorded': another caller recorded it. A bet has one rollback id.
-- again: the same step was executed before with an unknown outcome; then its own row counts as recorded.
-- No `exists`: its plan could be a scan of all transactions.
-- Locks: none of its own. provider.lock_steps has locked a bet's session, the round, and a rollback's bet.
create or replace function provider.record_intents(
    p_intents jsonb, p_lease_seconds double precision, p_busy_session_ids uuid[]
)
returns table (o_session_id uuid, o_outcome text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_lease_until constant timestamptz := provider.clock() + make_interval(secs => p_lease_seconds);
begin
    return query
    with judged as materialized (
        select i.*, s.currency, case
            when i.again and (
                select t.round_id = i.round_id and t.kind = i.kind
                from provider.wallet_transactions as t where t.transaction_id = i.transaction_id
            ) then 'recorded_before'
            when i.after_id is not null and (
                select t.state in ('committed', 'settled')
                from provider.wallet_transactions as t where t.transaction_id = i.after_id
            ) is not true then 'given_up'
            when r.provider_session_id is distinct from i.session_id then case i.kind
                when 'debit' then 'session_not_found' when 'credit' then 'round_closed' else 'round_not_found' end
            when i.kind = 'rollback' then 'recorded'
            when i.kind = 'debit' and s.state <> 'open' then 'session_stopped'
            when r.state <> 'open' then 'round_closed'
            when i.kind = 'debit' and (
                select true from provider.wallet_transactions as t
                where t.provider_session_id = i.session_id and t.state = 'pending' and t.kind in ('debit', 'rollback')
                limit 1
            ) then 'session_busy'
            when i.kind = 'debit' and (
                select true from provider.wallet_transactions as t
                where t.round_id = i.round_id and t.kind = 'credit' limit 1
            ) then 'round_has_payout'
            when i.kind = 'credit' and (
                select true from provider.wallet_transactions as t
                where t.provider_session_id = i.session_id and t.round_id = i.round_id
                    and t.state = 'pending' and t.kind in ('debit', 'rollback')
                limit 1
            ) then 'round_in_doubt'
            when i.kind = 'credit' and (
                select t.round_id = i.round_id and t.kind = 'debit' and t.state = 'committed'
                from provider.wallet_transactions as t where t.transaction_id = i.related_id
            ) is not true then 'no_live_bet'
            else 'recorded'
        end as verdict
        from jsonb_to_recordset(p_intents) as i (
            session_id uuid, kind text, transaction_id uuid, round_id uuid, amount_minor bigint, reason text,
            request_id text, rollback_id uuid, related_id uuid, original_id uuid, end_round boolean,
            after_id uuid, again boolean
        )
        left join provider.rounds as r on r.round_id = i.round_id
        left join provider.game_sessions as s on s.provider_session_id = r.provider_session_id
        where i.session_id <> all (p_busy_session_ids)
    ),
    recorded as (
        insert into provider.wallet_transactions (
            transaction_id, kind, reason, provider_session_id, round_id, amount_minor, currency,
            rollback_transaction_id, related_transaction_id, original_transaction_id, end_round, request_id, due_at
        )
        select j.transaction_id, j.kind, j.reason, j.session_id, j.round_id,
            case when j.kind <> 'rollback' then j.amount_minor else coalesce((
                select t.amount_minor from provider.wallet_transactions as t
                where t.transaction_id = j.original_id and t.round_id = j.round_id and t.kind = 'debit'
            ), 0) end,
            j.currency, j.rollback_id, j.related_id, j.original_id, j.end_round, j.request_id, v_lease_until
        from judged as j
        where j.verdict = 'recorded'
        on conflict (transaction_id) do nothing
        returning transaction_id, round_id
    ),
    leased as (
        update provider.rounds as r set lease_until = v_lease_until
        from recorded where r.round_id = recorded.round_id and r.state = 'open'
    )
    select j.session_id, case
        when j.verdict = 'recorded_before' then 'recorded'
        when j.verdict = 'recorded' and recorded.transaction_id is null then 'already_recorded'
        else j.verdict
    end
    from judged as j
    left join recorded on recorded.transaction_id = j.transaction_id;
end;
$$;
