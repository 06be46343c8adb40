"""The SQL statements of game sessions."""

from __future__ import annotations

from typing import Final

OPEN_SESSION: Final = """
    select
        o_code, o_provider_id, o_game_code, o_currency, o_balance_minor, o_stake_min_minor, o_stake_max_minor,
        o_expires_at, o_reason
    from casino.open_session(
        %(ledger_id)s::integer, %(tenant_id)s::text, %(player_id)s, %(game_id)s, %(session_id)s::uuid,
        %(token_hash)s::bytea, %(country)s, %(client_address)s::inet, %(live_providers)s::text[]
    )
"""
PROVIDER_OF_SESSION: Final = """
    select casino.provider_of_session(%s::integer, %s::uuid)
"""
BIND_SESSION: Final = """
    select casino.bind_provider_session(
        %(ledger_id)s::integer, %(session_id)s::uuid, %(provider_session_id)s, %(fingerprint)s::bytea
    )
"""
CLOSE_SESSION: Final = "select casino.close_session(%s::integer, %s::uuid)"
CLOSE_EXPIRED_SESSIONS: Final = """
    select o_closed, o_looked_at, o_opened_at, o_session_id
    from casino.close_expired_sessions(%s::integer, %s::timestamptz, %s::uuid, %s::integer)
"""
ENTER_SESSION: Final = """
    select o_code, o_session_id, o_provider_session_id, o_game_code, o_currency
    from casino.enter_session(
        %(ledger_id)s::integer, %(tenant_id)s::text, %(player_id)s, %(game_id)s,
        %(token_hash)s::bytea, %(fingerprint)s::bytea
    )
"""
