"""Everything that is held about a player, as one document.

It is read and written a few hundred rows at a time, so that no bet waits behind it.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
from starlette.responses import Response

from casino.api.call import Call
from casino.api.types import Answer, Empty, instant
from casino.players.accounts import own_id

ROWS_MAX: Final = 20_000
"""Rows of one part of an export, the newest ones."""
CHUNK_ROWS: Final = 250
"""Rows that are written at once; then other requests have their turn."""
PLAYER: Final = "player"
Names = tuple[str, ...]
_encode = msgspec.json.Encoder().encode
EXPORT: Final[dict[str, tuple[Names, str]]] = {
    "player": (
        (
            "playerId",
            "tenantId",
            "currency",
            "balanceMinor",
            "status",
            "createdAt",
            "closedAt",
            "excludedUntil",
            "voucherId",
        ),
        """
        select player.player_id, player.tenant_id, currency, balance_minor, player.status, player.created_at, closed_at,
            nullif(excluded_until, 'infinity'), voucher_id
        from own as player
        join casino.wallets using (ledger_id, wallet_id)
        """,
    ),
    "entries": (
        ("at", "transactionId", "kind", "state", "amountMinor", "balanceMinor", "roundId", "reason", "refusalCode"),
        """
        select recorded_at, ltrim(transaction_id, '§'), kind, state, amount_minor, balance_after_minor, round_id,
            reason, refusal_code
        from casino.transactions join own using (ledger_id, wallet_id)
        order by recorded_at desc, sequence_no desc
        """,
    ),
    "rounds": (
        ("openedAt", "closedAt", "roundId", "provider", "stakeMinor", "winMinor"),
        """
        select opened_at, rounds.closed_at, round_id, provider_id, staked_minor, paid_minor
        from casino.rounds join own using (ledger_id, wallet_id)
        order by opened_at desc
        """,
    ),
    "gameSessions": (
        ("openedAt", "closedAt", "gameCode", "country", "address", "stakedMinor", "paidMinor", "playSessionId"),
        """
        select opened_at, game_sessions.closed_at, game_code, country, host(client_address), staked_minor, paid_minor,
            play_session_id
        from casino.game_sessions join own using (ledger_id, wallet_id)
        order by opened_at desc
        """,
    ),
    "playSessions": (
        ("sessionId", "startedAt", "lastLoginAt", "endedAt", "openingBalanceMinor", "lossLimitMinor"),
        """
        select play_session_id, started_at, last_login_at, ended_at, opening_balance_minor, loss_limit_minor
        from casino.play_sessions join own using (ledger_id, wallet_id)
        order by started_at desc
        """,
    ),
    "bonuses": (
        ("amountMinor", "state", "promisedAt", "decidedAt"),
        """
        select amount_minor, state, promised_at, decided_at
        from casino.bonuses join own using (ledger_id, wallet_id)
        order by bonus_id desc
        """,
    ),
    "payments": (
        ("at", "kind", "amountMinor"),
        """
        select at, kind, amount_minor from casino.player_payments join own using (ledger_id, wallet_id) order by at desc
        """,
    ),
    "approvals": (
        ("requestedAt", "kind", "amountMinor", "status", "decidedAt"),
        """
        select requested_at, kind, amount_minor, approvals.status, decided_at
        from casino.approvals join own using (ledger_id, wallet_id)
        order by requested_at desc
        """,
    ),
    "limits": (
        (
            "madeAt",
            "kind",
            "period",
            "value",
            "status",
            "effectiveAt",
            "madeBy",
            "confirmedAt",
            "replacedAt",
            "sessionId",
            "reason",
        ),
        """
        select made_at, kind, period, value, casino.limit_status(player_limits), effective_at, made_by_kind,
            confirmed_at, replaced_at, play_session_id, reason
        from casino.player_limits join own using (ledger_id, player_id)
        order by made_at desc
        """,
    ),
    "exclusions": (
        ("madeAt", "period", "until", "madeBy", "reason"),
        """
        select made_at, period, nullif(player_exclusions.excluded_until, 'infinity'), made_by_kind, reason
        from casino.player_exclusions join own using (ledger_id, player_id)
        order by made_at desc
        """,
    ),
    "safetyActions": (
        ("at", "type", "score", "reasons", "evidence", "sessionId"),
        """
        select at, action_type, score, reasons, evidence, play_session_id
        from casino.safety_actions join own using (ledger_id, wallet_id)
        order by at desc, action_id desc
        """,
    ),
    "auditTrail": (
        ("at", "action", "outcome", "address"),
        """
        select at, action, outcome, host(address) from casino.audit_trail
        join own on audit_trail.ledger_id = own.ledger_id and audit_trail.subject = own.player_id
            and audit_trail.tenant_id = own.tenant_id
        order by at desc
        """,
    ),
}
"""The parts of an export: the names of their members, and the query of the newest rows. It holds no code and no PIN."""
OWN: Final = """
    with own as (
        select
            ledger_id, player_id, tenant_id, wallet_id, status, voucher_id, created_at, closed_at
        from casino.players
        where ledger_id = %(ledger)s and player_id = %(player)s
    )
"""


class Export(Answer):
    """Everything that is held about a player, by part. `is_complete`: no part has more rows."""

    export: dict[str, Any]
    is_complete: bool


async def export(call: Call, _: Empty) -> Response:
    """GET /player/export."""
    parameters = {"ledger": call.ledger_id, "player": own_id(call), "limit": ROWS_MAX + 1}
    parts: list[bytes] = []
    is_complete = True
    for part, (names, query) in EXPORT.items():
        rows, count = await _read(call, names, f"{OWN} {query} limit %(limit)s", parameters)
        is_complete = is_complete and count <= ROWS_MAX
        parts.append(_encode(part) + b":" + (rows if part == PLAYER else b"[" + rows + b"]"))
    body = b'{"ok":true,"export":{' + b",".join(parts) + b'},"isComplete":' + _encode(is_complete) + b"}"
    return Response(body, media_type="application/json", headers={"cache-control": "no-store"})


async def _read(call: Call, names: Names, query: str, parameters: dict[str, Any]) -> tuple[bytes, int]:
    """Returns at most ROWS_MAX rows as JSON objects with commas between, and how many rows there are."""
    if call.connection is None:
        raise RuntimeError("an export is read in the request's transaction")
    written: list[bytes] = []
    count = 0
    async with call.connection.cursor(name="export") as cursor:
        await cursor.execute(query.encode(), parameters)
        while rows := await cursor.fetchmany(CHUNK_ROWS):
            shown = rows[: ROWS_MAX - count] if count < ROWS_MAX else []
            written += [_encode(dict(zip(names, map(_shown, row), strict=True))) for row in shown]
            count += len(rows)
    return b",".join(written), count


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, Decimal):
        return int(value)
    return str(value) if isinstance(value, UUID) else value
