"""The SQL statements of game sessions."""

from __future__ import annotations

from typing import Final

OPEN_SESSION: Final = """
    select o_code, o_game_code, o_currency, o_balance_minor, o_stake_min_minor, o_stake_max_minor, o_expires_at
    from casino.open_session(
        %(ledger_id)s::integer, %(tenant_id)s, %(player_id)s, %(game_id)s, %(session_id)s::uuid, %(token_hash)s::bytea,
        %(country)s, %(client_address)s::inet
    )
"""
BIND_PROVIDER_SESSION: Final = "select casino.bind_provider_session(%s::integer, %s::uuid, %s)"
CLOSE_SESSION: Final = "select casino.close_session(%s::integer, %s::uuid)"
