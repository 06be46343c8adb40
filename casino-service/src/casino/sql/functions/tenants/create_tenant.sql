-- Purpose: make a tenant and its float. It begins with its parent's currency, bonus, time zone, region and approval threshold, and
--   has its parent's games; one at the top has every game of provider main.
-- Outcome: o_code is null when it is made; else FORBIDDEN (only an owner makes a tenant without a parent), NOT_FOUND (the parent),
--   TENANT_NOT_ACTIVE (the parent is CLOSED), INVALID_FIELD with o_field.
-- Locks: casino.settle_tenants.
create or replace function casino.create_tenant(
    p_ledger_id integer, p_tenant_id text, p_parent_id text, p_type text, p_name text, p_currency text,
    out o_code text, out o_field text
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_parent casino.tenants;
    v_has_parent constant boolean := p_parent_id is not null;
begin
    select * into v_parent from casino.tenants where ledger_id = p_ledger_id and tenant_id = p_parent_id;
    o_field := case
        when v_has_parent and (p_type, v_parent.tenant_type) not in (('OPERATOR', 'DISTRIBUTOR'), ('AGENT', 'OPERATOR'))
            then 'parentId'
        when not v_has_parent and p_type = 'AGENT' then 'parentId'
        when v_has_parent and p_currency <> v_parent.currency then 'currency'
    end;
    o_code := case
        when v_has_parent and not casino.sees(p_ledger_id, p_parent_id) then 'NOT_FOUND'
        when not v_has_parent and p_type <> 'AGENT' and not casino.has_oversight() then 'FORBIDDEN'
        when o_field is not null then 'INVALID_FIELD'
        when v_parent.status = 'CLOSED' then 'TENANT_NOT_ACTIVE'
    end;
    if o_code is not null then
        return;
    end if;
    insert into casino.tenants (
        tenant_id, display_name, ledger_id, parent_id, tenant_type, currency, bonus_bp, timezone, region,
        require_approval_above_minor, created_at
    )
    values (
        p_tenant_id, p_name, p_ledger_id, p_parent_id, p_type, coalesce(v_parent.currency, p_currency, 'USD'),
        coalesce(v_parent.bonus_bp, 5000), coalesce(v_parent.timezone, 'America/Los_Angeles'), v_parent.region,
        v_parent.require_approval_above_minor, casino.clock()
    );
    perform casino.float_of(p_ledger_id, p_tenant_id);
    if not v_has_parent then
        perform casino.give_games(p_ledger_id, p_tenant_id);
    end if;
end;
$$;
