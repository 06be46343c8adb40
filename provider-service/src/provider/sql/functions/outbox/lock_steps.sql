-- Purpose: lock everything that the steps of a batch change.
-- Input: per step the session, whether the session's row is locked too, the round, the transactions, and the player of a
--   step of a spin.
-- Outcome: the sessions of the steps of which another database transaction, or another step, holds a row. Nothing of
--   these steps may be done: they are tried again.
-- Locks: sessions, players, rounds, transactions. Never waits, so a batch cannot take part in a deadlock.
create or replace function provider.lock_steps(p_steps jsonb)
returns uuid[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select coalesce(array_agg(step.session_id), '{}')
        from (
            select asked.*, asked.player_id is not null and row_number() over (
                partition by asked.player_id order by asked.session_id
            ) > 1 as is_second
            from jsonb_to_recordset(p_steps) as asked (
                session_id uuid, locks_session boolean, round_id uuid, transaction_ids uuid[], player_id bigint
            )
        ) as step
        where step.is_second or (
            select count(*) from (
                select from provider.game_sessions as s
                where step.locks_session and s.provider_session_id = step.session_id
                for no key update skip locked
            ) as locked
        ) + (
            select count(*) from (
                select from provider.players as p where p.player_id = step.player_id for no key update skip locked
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
            select count(*) from provider.players as p where p.player_id = step.player_id
        ) + (
            select count(*) from provider.rounds as r where r.round_id = step.round_id
        ) + (
            select count(*) from provider.wallet_transactions as t
            where t.transaction_id = any (step.transaction_ids)
        )
    );
end;
$$;
