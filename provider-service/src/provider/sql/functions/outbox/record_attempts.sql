-- Purpose: record the HTTP attempts of calls, up to 100 for each transaction: an outage of a week does not fill the disk.
-- Locks: none of its own.
create or replace function provider.record_attempts(p_attempts jsonb, p_busy_session_ids uuid[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into provider.wallet_attempts (transaction_id, sent_at, elapsed_ms, status, code, signature, failure)
    select t.transaction_id, provider.clock() - make_interval(secs => made.ago_seconds), made.elapsed_ms, made.status,
        made.code, made.signature, made.failure
    from jsonb_to_recordset(p_attempts) as made (
        session_id uuid, transaction_id uuid, ago_seconds double precision, elapsed_ms bigint, status bigint, code text,
        signature text, failure text
    )
    join provider.wallet_transactions as t on t.transaction_id = made.transaction_id
    where t.attempts < 100 and made.session_id <> all (p_busy_session_ids);
end;
$$;
