-- Purpose: move money between a tenant's float and its parent's (p_is_back: to the parent). A tenant without a parent is
--   funded by an owner, from house_cash.
-- Outcome: o_code is null when it is booked; else NOT_FOUND, FORBIDDEN (the caller's own tenant), TENANT_NOT_ACTIVE (it is CLOSED),
--   INSUFFICIENT_FUNDS, INVALID_FIELD (the balance would be too high). o_parent_balance_minor is null without a parent.
-- Lock order: casino.hold_wallets, both floats at once; the tenant is looked at under them (casino.change_tenant closes it).
create or replace function casino.fund_tenant(
    p_ledger_id integer, p_tenant_id text, p_is_back boolean, p_amount_minor bigint, p_transfer_id text, p_reason text,
    p_request_id text, p_actor_id text, out o_code text, out o_balance_minor bigint, out o_parent_balance_minor bigint
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant casino.tenants;
    v_own bigint;
    v_parent bigint;
    v_entry casino.entry;
begin
    o_code := casino.refusal_to_manage(p_ledger_id, p_tenant_id);
    if o_code is not null then
        return;
    end if;
    select * into v_tenant from casino.tenants where ledger_id = p_ledger_id and tenant_id = p_tenant_id;
    v_own := casino.float_of(p_ledger_id, p_tenant_id);
    v_parent := casino.float_of(p_ledger_id, v_tenant.parent_id);
    perform casino.hold_wallets(p_ledger_id, array_remove(array[v_own, v_parent], null));
    select * into v_tenant from casino.tenants where ledger_id = p_ledger_id and tenant_id = p_tenant_id;
    select balance_minor into o_balance_minor from casino.wallets where ledger_id = p_ledger_id and wallet_id = v_own;
    if v_tenant.status = 'CLOSED' then
        o_code := 'TENANT_NOT_ACTIVE';
    elsif v_parent is null then
        v_entry := casino.house_entry(
            v_own, case when p_is_back then 'float_out' else 'float_in' end, '§' || p_transfer_id, p_amount_minor,
            v_tenant.currency, p_reason, p_request_id
        );
        o_code := casino.house_refusal(v_entry, o_balance_minor);
        if o_code is null then
            o_balance_minor := casino.book_float_entry(p_ledger_id, v_entry, 'house_cash', p_actor_id, p_transfer_id);
        end if;
    else
        select
            moved.o_code, case when p_is_back then moved.o_from_balance_minor else moved.o_to_balance_minor end,
            case when p_is_back then moved.o_to_balance_minor else moved.o_from_balance_minor end
        into o_code, o_balance_minor, o_parent_balance_minor
        from casino.transfer(
            p_ledger_id, case when p_is_back then v_own else v_parent end, case when p_is_back then v_parent else v_own end,
            p_transfer_id, p_amount_minor, case when p_is_back then 'return_out' else 'fund_out' end,
            case when p_is_back then 'return_in' else 'fund_in' end, p_reason, p_request_id, p_actor_id, null, null
        ) as moved;
    end if;
    o_code := case o_code
        when 'insufficient_balance' then 'INSUFFICIENT_FUNDS'
        when 'balance_too_high' then 'INVALID_FIELD'
        else o_code
    end;
end;
$$;
