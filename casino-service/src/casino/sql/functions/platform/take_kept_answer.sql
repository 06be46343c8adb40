-- Purpose: claim an idempotency key for the rest of the transaction, or give the answer that it has already.
-- Outcome: o_claimed true: nobody used the key, the caller does the work and calls casino.keep_answer. Else o_same_body says whether
--   the body is the first one's, and the rest is its answer. A copy that is at work now is waited for (lock_timeout).
create or replace function casino.take_kept_answer(
    p_ledger_id integer, p_scope text, p_key_hash bytea, p_body_hash bytea
)
returns table (o_claimed boolean, o_same_body boolean, o_status integer, o_answer bytea, o_sealed bytea)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c_kept constant interval := interval '30 days';
    v_now constant timestamptz := casino.clock();
begin
    insert into casino.kept_answers as kept (ledger_id, scope, key_hash, body_hash, kept_at)
    values (p_ledger_id, p_scope, p_key_hash, p_body_hash, v_now)
    on conflict (ledger_id, scope, key_hash) do update
    set body_hash = excluded.body_hash, status = null, answer = null, sealed = null, kept_at = excluded.kept_at
    where kept.kept_at <= v_now - c_kept;
    if found then
        return query select true, true, null::integer, null::bytea, null::bytea;
        return;
    end if;
    return query
    select false, body_hash = p_body_hash, status, answer, sealed
    from casino.kept_answers
    where ledger_id = p_ledger_id and scope = p_scope and key_hash = p_key_hash;
end;
$$;
