-- Purpose: the id of a tenant's wallet, its float. It is opened when there is none yet.
-- Outcome: null for a tenant that the ledger does not have. Not for the application's role.
create or replace function casino.float_of(p_ledger_id integer, p_tenant_id text)
returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_player_id constant text := '§tenant:' || p_tenant_id;
    v_wallet_id bigint;
begin
    select wallet_id into v_wallet_id from casino.wallets where ledger_id = p_ledger_id and player_id = c_player_id;
    if v_wallet_id is null then
        insert into casino.wallets (ledger_id, tenant_id, player_id, player_name, currency, owner_kind)
        select ledger_id, tenant_id, c_player_id, display_name, currency, 'tenant'
        from casino.tenants
        where ledger_id = p_ledger_id and tenant_id = p_tenant_id
        on conflict do nothing;
        select wallet_id into v_wallet_id from casino.wallets where ledger_id = p_ledger_id and player_id = c_player_id;
    end if;
    return v_wallet_id;
end;
$$;
