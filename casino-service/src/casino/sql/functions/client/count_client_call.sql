-- Purpose: begin a call of a player's own client: whose tenant the player is, whether the access token (issued at
--   p_issued_at, null without one) was revoked, and how long the call has to wait (casino.take_client_token).
-- Outcome: o_tenant_id is null for a player whom the ledger does not know. A revoked token takes nothing from the player's
--   bucket: otherwise a stolen token could lock the player out.
-- Locks: the player's bucket.
create or replace function casino.count_client_call(
    p_ledger_id integer, p_player_id text, p_burst integer, p_per_second integer, p_issued_at timestamptz
)
returns table (o_tenant_id text, o_is_revoked boolean, o_wait_seconds double precision)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    select tenant_id into o_tenant_id from casino.wallets where ledger_id = p_ledger_id and player_id = p_player_id;
    o_is_revoked := exists (
        select from casino.access_token_revocations
        where tenant_id = o_tenant_id and player_id = p_player_id and issued_until >= p_issued_at
    );
    if o_tenant_id is not null and not o_is_revoked then
        o_wait_seconds := casino.take_client_token(p_ledger_id, o_tenant_id, p_player_id, p_burst, p_per_second);
    end if;
    return next;
end;
$$;
