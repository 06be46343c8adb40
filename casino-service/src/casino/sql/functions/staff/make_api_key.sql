-- Purpose: make an API key of a member of staff, in its tenant. The caller has compared the scopes with the maker's permissions.
-- Outcome: o_code: null, NOT_FOUND (the transaction does not see the maker), INVALID_FIELD (p_ends_at has passed).
-- Locks: the maker.
create or replace function casino.make_api_key(
    p_ledger_id integer, p_maker_id text, p_name text, p_prefix text, p_key_mac bytea, p_scopes text [], p_ends_at timestamptz
)
returns table (o_code text, o_key_id text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c_now constant timestamptz := casino.clock();
    v_maker casino.staff := casino.hold_staff(p_ledger_id, p_maker_id);
begin
    o_code := case when v_maker.staff_id is null then 'NOT_FOUND' when p_ends_at <= c_now then 'INVALID_FIELD' end;
    if o_code is null then
        insert into casino.api_keys (ledger_id, tenant_id, made_by, name, prefix, key_mac, scopes, made_at, ends_at)
        values (p_ledger_id, v_maker.tenant_id, p_maker_id, p_name, p_prefix, p_key_mac, p_scopes, c_now, p_ends_at)
        returning key_id into o_key_id;
    end if;
    return next;
end;
$$;
