-- Purpose: write a row of the audit trail, in the transaction of what it tells.
-- Input: p_outcome DONE or REFUSED. Refusals of one address beyond p_rows_max a minute share one row with a count.
-- Lock order: refusals of one address that share a row wait for each other's commit; nothing else is locked after it.
create or replace function casino.note_audit(
    p_ledger_id integer, p_tenant_id text, p_actor_kind text, p_actor_id text, p_actor_name text, p_action text, p_subject text,
    p_outcome text, p_before jsonb, p_after jsonb, p_request_id text, p_address inet, p_rows_max integer default 60
)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_now constant timestamptz := casino.clock();
    v_rows bigint;
    v_newest bigint;
begin
    if p_outcome = 'REFUSED' then
        select count(*), max(audit_id) into v_rows, v_newest
        from (
            select audit_id from casino.audit_trail
            where ledger_id = p_ledger_id and address is not distinct from p_address and at > v_now - interval '1 minute'
                and outcome = 'REFUSED'
            limit p_rows_max
        ) as recent;
        if v_rows >= p_rows_max then
            update casino.audit_trail set refusals = refusals + 1 where ledger_id = p_ledger_id and audit_id = v_newest;
            return;
        end if;
    end if;
    insert into casino.audit_trail (
        ledger_id, at, tenant_id, actor_kind, actor_id, actor_name, action, subject, outcome, before, after, request_id, address
    )
    values (
        p_ledger_id, v_now, p_tenant_id, p_actor_kind, p_actor_id, p_actor_name, p_action, p_subject, p_outcome, p_before,
        p_after, p_request_id, p_address
    );
end;
$$;
