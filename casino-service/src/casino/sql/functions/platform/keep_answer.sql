-- Purpose: store the answer to a request whose key casino.take_kept_answer claimed in this transaction.
create or replace function casino.keep_answer(
    p_ledger_id integer, p_scope text, p_key_hash bytea, p_status integer, p_answer bytea, p_sealed bytea
)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    update casino.kept_answers set status = p_status, answer = p_answer, sealed = p_sealed
    where ledger_id = p_ledger_id and scope = p_scope and key_hash = p_key_hash;
$$;
