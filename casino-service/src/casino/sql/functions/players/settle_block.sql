-- Purpose: keep casino.wallets.blocked_at, by which a bet is refused: the player is frozen or closed, or a cash-out waits for a
--   decision. The caller holds the wallet.
create or replace function casino.settle_block(p_ledger_id integer, p_wallet_id bigint)
returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    update casino.wallets as wallet
    set blocked_at = case
        when player.status <> 'ACTIVE' or exists (
            select from casino.approvals
            where ledger_id = p_ledger_id and wallet_id = p_wallet_id and kind = 'CASHOUT' and status = 'PENDING'
        ) then coalesce(wallet.blocked_at, casino.clock())
    end
    from casino.players as player
    where wallet.ledger_id = p_ledger_id and wallet.wallet_id = p_wallet_id
        and player.ledger_id = p_ledger_id and player.wallet_id = p_wallet_id;
$$;
