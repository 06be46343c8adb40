"""The SQL statements of the limits of players' clients."""

from __future__ import annotations

from typing import Final

# A revoked token takes nothing from the player's bucket. Otherwise a stolen token could lock the player out.
COUNT_CLIENT_CALL: Final = """
    select access.is_revoked, case when not access.is_revoked then casino.take_client_token(
        %(ledger_id)s::integer, %(tenant_id)s, %(player_id)s, %(burst)s::integer, %(per_second)s::integer
    ) end
    from (
        select exists (
            select from casino.access_token_revocations
            where tenant_id = %(tenant_id)s and player_id = %(player_id)s
                and issued_until >= to_timestamp(%(issued_at)s::bigint)
        )
    ) as access (is_revoked)
"""
CHECK_ACCESS: Final = "select casino.check_access_token(%s, %s::bytea, %s::bytea, to_timestamp(%s::bigint))"
PRUNE_CLIENT_LIMITS: Final = "select casino.prune_client_limits(%s::integer)"
