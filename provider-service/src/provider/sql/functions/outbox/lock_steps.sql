-- Purpose: lock everything that the steps of a batch change.
-- Input: per step the session, whether the session's row is locked too, the round, and the transactions.
-- Outcome: the sessions of the steps of which another database transaction holds a row. Nothing of these steps may be
--   done: they are tried again.
-- Locks: sessions, rounds, transactions. Never waits, so a batch cannot take part in a deadlock.
create or replace function provider.lock_steps(p_steps jsonb)
returns uuid[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select coalesce(array_agg(step.session_id), '{}')
        from jsonb_to_recordset(p_steps) as step (
            session_id uuid, locks_session boolean, round_id uuid, transaction_ids uuid[]
        )
        where (
            select count(*) from (
                select from provider.game_sessions as s
                where step.locks_session and s.provider_session_id = step.session_id
                for no key update skip locked
            ) as locked
        ) + (
            select count(*) from (
                select from provider.rounds as r where r.round_id = step.round_id for no key update skip locked
            ) as locked
        ) + (
            select count(*) from (
                select from provider.wallet_transactions as t
                where t.transaction_id = any (step.transaction_ids)
                for no key update skip locked
            ) as locked
        ) < (
            select count(*) from provider.game_sessions as s
            where step.locks_session and s.provider_session_id = step.session_id
        ) + (
            select count(*) from provider.rounds as r where r.round_id = step.round_id
        ) + (
            select count(*) from provider.wallet_transactions as t
            where t.transaction_id = any (step.transaction_ids)
        )
    );
end;
$$;
