-- Purpose: the tombstone of a player's bet, with the rollback that set it.
create or replace function casino.find_tombstone(
    p_ledger_id integer, p_provider_id text, p_player_id text, p_transaction_id text
)
returns table (
    o_transaction_id text, o_player_id text, o_round_id text, o_currency text, o_rollback_transaction_id text,
    o_recorded_at timestamptz
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
as $$
    select
        stone.transaction_id, wallet.player_id, stone.round_id, wallet.currency, stone.rollback_transaction_id,
        stone.recorded_at
    from casino.wallets as wallet
    join casino.tombstones as stone
        on stone.ledger_id = wallet.ledger_id and stone.wallet_id = wallet.wallet_id
        and stone.transaction_id = p_transaction_id and stone.provider_id = p_provider_id
    where wallet.ledger_id = p_ledger_id and wallet.player_id = p_player_id;
$$;
