"""The wallet's SQL statements. Short and literal: what they decide stands in the functions and views they call."""

from __future__ import annotations

from typing import Final

EXECUTE_WALLET_COMMANDS: Final = """
    select
        o_outcome, o_code, o_field, o_replay, o_balance_minor, o_currency, o_tombstone, o_already_rolled_back,
        o_request_id, o_head
    from casino.execute_wallet_commands(%s::integer, %s::jsonb)
    order by o_place
"""

GET_BALANCES: Final = """
    select o_code, o_balance_minor, o_currency, o_head from casino.read_balances(%s::integer, %s::jsonb)
"""

FEED_PAGE: Final = """
    select
        o_feed_position, o_transaction_id, o_player_id, o_round_id, o_kind, o_amount_minor, o_currency, o_state,
        o_balance_after_minor, o_related_transaction_id, o_recorded_at, o_head
    from casino.feed_page(%(ledger_id)s::integer, %(provider_id)s, %(after)s::bigint, %(limit)s::integer)
"""

FIND_TRANSACTION: Final = """
    select
        o_feed_position, o_transaction_id, o_player_id, o_round_id, o_kind, o_amount_minor, o_currency, o_state,
        o_balance_after_minor, o_related_transaction_id, o_recorded_at, o_head
    from casino.find_transaction(%(ledger_id)s::integer, %(provider_id)s, %(player_id)s, %(transaction_id)s)
"""

FIND_TOMBSTONE: Final = """
    select o_transaction_id, o_player_id, o_round_id, o_currency, o_rollback_transaction_id, o_recorded_at
    from casino.find_tombstone(%(ledger_id)s::integer, %(provider_id)s, %(player_id)s, %(transaction_id)s)
"""

RESTORE_UNFINISHED: Final = "select casino.restore_unfinished(%s::integer)"

COUNT_UNSIGNED: Final = "select casino.count_unsigned(%s::integer)"
