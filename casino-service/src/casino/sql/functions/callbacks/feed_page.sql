-- Purpose: a page of a provider's feed, of all tenants of the ledger: a provider's key reaches every tenant that plays its games.
-- Outcome: at most p_limit rows behind the position p_after, in commit order, none that could still be overtaken.
create or replace function casino.feed_page(
    p_ledger_id integer, p_provider_id text, p_after bigint, p_limit integer
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
        feed_position, transaction_id, player_id, round_id, kind, amount_minor, currency, state, balance_after_minor,
        related_transaction_id, recorded_at, head
    from casino.provider_feed
    where ledger_id = p_ledger_id and provider_id = p_provider_id and feed_position > p_after
        and feed_position < casino.feed_horizon(p_ledger_id)
    order by feed_position
    limit p_limit;
$$;
