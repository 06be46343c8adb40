-- Purpose: whose tenant a player is who comes with an access token that was issued at p_issued_at (unix seconds).
-- Outcome: no row for a player who is not there or CLOSED, and for a token that was revoked.
create or replace function casino.enter_player(p_ledger_id integer, p_player_id text, p_issued_at bigint)
returns table (o_tenant_id text, o_status text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select player.tenant_id, casino.player_status(player.status, wallet.excluded_until, casino.clock())
    from casino.players as player
    join casino.wallets as wallet on wallet.ledger_id = p_ledger_id and wallet.wallet_id = player.wallet_id
    where player.ledger_id = p_ledger_id and player.player_id = p_player_id and player.status <> 'CLOSED'
        and not exists (
            select from casino.access_token_revocations as revoked
            where revoked.tenant_id = player.tenant_id and revoked.player_id = p_player_id
                and revoked.issued_until >= to_timestamp(p_issued_at)
        );
$$;
