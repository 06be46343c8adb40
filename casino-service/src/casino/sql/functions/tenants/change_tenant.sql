-- Purpose: change members of a tenant below the caller's.
-- Input: p_changes has columns of casino.tenants with their new values; what it does not have stays.
-- Outcome: o_code is null when it is changed; else NOT_FOUND, FORBIDDEN, TENANT_NOT_ACTIVE (it is CLOSED, which is final),
--   TENANT_NOT_EMPTY (it cannot be closed: casino.is_empty).
-- Lock order: the tree of tenants (casino.hold_tenants); to close, the floats of the tenant and of all below it
--   (casino.hold_wallets); then the tenant's row. Whatever puts money into a tenant takes it from a float that is held here, or
--   finds it closed.
create or replace function casino.change_tenant(p_ledger_id integer, p_tenant_id text, p_changes jsonb)
returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_refusal constant text := casino.refusal_to_manage(p_ledger_id, p_tenant_id);
    v_below text[];
    v_tenant casino.tenants;
begin
    if v_refusal is not null then
        return v_refusal;
    end if;
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('casino.settle_tenants', 0));
    if p_changes ->> 'status' = 'CLOSED' then
        v_below := casino.tenants_below(p_ledger_id, p_tenant_id);
        perform casino.hold_wallets(
            p_ledger_id, array(select casino.float_of(p_ledger_id, tenant_id) from unnest(v_below) as tenant_id)
        );
    end if;
    select * into v_tenant from casino.tenants
    where ledger_id = p_ledger_id and tenant_id = p_tenant_id
    for no key update;
    if v_tenant.status = 'CLOSED' then
        return 'TENANT_NOT_ACTIVE';
    end if;
    if v_below is not null and not casino.is_empty(p_ledger_id, v_below) then
        return 'TENANT_NOT_EMPTY';
    end if;
    v_tenant := jsonb_populate_record(v_tenant, p_changes);
    update casino.tenants
    set
        display_name = v_tenant.display_name, status = v_tenant.status, bonus_bp = v_tenant.bonus_bp,
        timezone = v_tenant.timezone, region = v_tenant.region,
        require_approval_above_minor = v_tenant.require_approval_above_minor
    where ledger_id = p_ledger_id and tenant_id = p_tenant_id;
    return null;
end;
$$;
