-- Purpose: end a player's access tokens and game sessions. Payouts and rollbacks of bets that are open still land.
-- A token's times are in whole seconds: one that is issued after this is issued later than the revocation (casino.login_player).
-- Locks: the revocation, the sessions. The caller holds the wallet.
create or replace function casino.end_access(p_ledger_id integer, p_player casino.players)
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into casino.access_token_revocations as earlier (tenant_id, player_id, issued_until)
    values ((p_player).tenant_id, (p_player).player_id, date_trunc('second', casino.clock()))
    on conflict (tenant_id, player_id) do update
    set
        issued_until = greatest(earlier.issued_until + interval '1 second', excluded.issued_until),
        revoked_by = excluded.revoked_by;
    update casino.game_sessions
    set closed_at = casino.clock()
    where ledger_id = p_ledger_id and wallet_id = (p_player).wallet_id and closed_at is null;
end;
$$;
