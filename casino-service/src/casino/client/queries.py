"""The SQL statements of the limits of players' clients."""

from __future__ import annotations

from typing import Final

COUNT_CLIENT_CALL: Final = """
    select o_tenant_id, o_is_revoked, o_wait_seconds
    from casino.count_client_call(
        %(ledger_id)s::integer, %(player_id)s, %(burst)s::integer, %(per_second)s::integer,
        to_timestamp(%(issued_at)s::bigint)
    )
"""
CHECK_ACCESS: Final = "select casino.check_access_token(%s, %s::bytea, %s::bytea, to_timestamp(%s::bigint))"
PRUNE_CLIENT_LIMITS: Final = "select casino.prune_client_limits(%s::integer)"
