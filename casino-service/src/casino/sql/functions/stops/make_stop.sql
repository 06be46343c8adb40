-- Purpose: stop play: no launch and no new bet of what the stop names, in its tenant and below. Running rounds finish.
-- Input: p_tenant_id, the maker's tenant; null for an owner, whose stop holds everywhere. p_scope all, provider, game or player;
--   p_target the provider's id, the game's code or the player's id, null for all.
-- Outcome: o_code NOT_FOUND for a target that the tenant does not have, else null.
-- Locks: casino.hold_tenants. From its commit on, whatever is judged in any process finds the stop.
create or replace function casino.make_stop(
    p_ledger_id integer, p_tenant_id text, p_scope text, p_target text, p_reason text, p_made_by text,
    out o_code text, out o_stop_id uuid, out o_made_at timestamptz
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    o_code := case
        when p_tenant_id is null and not casino.has_oversight() then 'NOT_FOUND'
        when p_tenant_id is not null and not casino.sees(p_ledger_id, p_tenant_id) then 'NOT_FOUND'
        when p_scope = 'all' then null
        when p_scope = 'player' then case when not exists (
            select from casino.wallets
            where ledger_id = p_ledger_id and player_id = p_target and owner_kind = 'player'
                and casino.sees(p_ledger_id, tenant_id)
        ) then 'NOT_FOUND' end
        when not casino.has_game(p_ledger_id, p_tenant_id, p_scope, p_target) then 'NOT_FOUND'
    end;
    if o_code is null then
        o_made_at := casino.clock();
        insert into casino.stops (ledger_id, tenant_id, scope, target, reason, made_by, made_at)
        values (p_ledger_id, p_tenant_id, p_scope, p_target, p_reason, p_made_by, o_made_at)
        returning stop_id into o_stop_id;
    end if;
end;
$$;
