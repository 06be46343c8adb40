"""The wallet's SQL statements. Short and literal: what they decide stands in the functions and views they call."""

from __future__ import annotations

from typing import Final

EXECUTE_WALLET_COMMANDS: Final = """
    select
        o_outcome, o_code, o_field, o_replay, o_balance_minor, o_currency, o_tombstone, o_already_rolled_back,
        o_request_id, o_head
    from casino.execute_wallet_commands(%s::integer, %s::jsonb)
"""

GET_BALANCES: Final = """
    select o_code, o_balance_minor, o_currency, o_head from casino.read_balances(%s::integer, %s::jsonb)
"""

FEED_PAGE: Final = """
    select
        feed_position, transaction_id, player_id, round_id, kind, amount_minor, currency, state, balance_after_minor,
        related_transaction_id, recorded_at, head
    from casino.provider_feed
    where
        ledger_id = %(ledger_id)s and provider_id = %(provider_id)s and feed_position > %(after)s
        and feed_position < casino.feed_horizon(%(ledger_id)s)
    order by feed_position
    limit %(limit)s
"""

FIND_TRANSACTION: Final = """
    select
        feed.feed_position, feed.transaction_id, feed.player_id, feed.round_id, feed.kind, feed.amount_minor,
        feed.currency, feed.state, feed.balance_after_minor, feed.related_transaction_id, feed.recorded_at,
        feed.head
    from casino.wallets as wallet
    join casino.provider_feed as feed
        on feed.ledger_id = wallet.ledger_id and feed.wallet_id = wallet.wallet_id
        and feed.transaction_id = %(transaction_id)s and feed.provider_id = %(provider_id)s
    where wallet.ledger_id = %(ledger_id)s and wallet.tenant_id = %(tenant_id)s and wallet.player_id = %(player_id)s
"""

FIND_TOMBSTONE: Final = """
    select
        stone.transaction_id, wallet.player_id, stone.round_id, wallet.currency, stone.rollback_transaction_id,
        stone.recorded_at
    from casino.wallets as wallet
    join casino.tombstones as stone
        on stone.ledger_id = wallet.ledger_id and stone.wallet_id = wallet.wallet_id
        and stone.transaction_id = %(transaction_id)s and stone.provider_id = %(provider_id)s
    where wallet.ledger_id = %(ledger_id)s and wallet.tenant_id = %(tenant_id)s and wallet.player_id = %(player_id)s
"""

RESTORE_UNFINISHED: Final = "select casino.restore_unfinished(%s::integer)"

# The condition of the index transactions_fed_unsigned, word for word.
COUNT_UNSIGNED: Final = """
    select count(*) from casino.transactions
    where ledger_id = %s and entry_formula > 1 and feed_position is not null and coalesce(signed_by, '') = ''
"""
