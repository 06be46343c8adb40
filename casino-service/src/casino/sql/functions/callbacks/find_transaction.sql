-- Purpose: one transaction of a player as the feed shows it, whichever tenant of the ledger the player belongs to.
create or replace function casino.find_transaction(
    p_ledger_id integer, p_provider_id text, p_player_id text, p_transaction_id text
)
returns table (
    o_feed_position bigint, o_transaction_id text, o_player_id text, o_round_id text, o_kind text, o_amount_minor bigint,
    o_currency text, o_state text, o_balance_after_minor bigint, o_related_transaction_id text, o_recorded_at timestamptz,
    o_head text
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_material = off
as $$
    select
        feed.feed_position, feed.transaction_id, feed.player_id, feed.round_id, feed.kind, feed.amount_minor,
        feed.currency, feed.state, feed.balance_after_minor, feed.related_transaction_id, feed.recorded_at, feed.head
    from casino.wallets as wallet
    join casino.provider_feed as feed
        on feed.ledger_id = wallet.ledger_id and feed.wallet_id = wallet.wallet_id
        and feed.transaction_id = p_transaction_id and feed.provider_id = p_provider_id
    where wallet.ledger_id = p_ledger_id and wallet.player_id = p_player_id;
$$;
