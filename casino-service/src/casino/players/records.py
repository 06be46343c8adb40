"""What a player may read of the own past: rounds, and everything that is held."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from casino.api import lists
from casino.api.call import Call
from casino.api.types import Answer, Empty, Instant, Page, Shape, instant
from casino.players.accounts import own_id

ROWS_MAX: Final = 20_000
"""Rows of one part of an export, the newest ones."""
HISTORY: Final = """
    with own as (
        select wallet_id from casino.players where ledger_id = %(ledger)s and player_id = %(player)s
    ),
    page as materialized (
        select round.*, round.round_id || ' ' || round.provider_id as place
        from own
        join casino.rounds as round on round.ledger_id = %(ledger)s and round.wallet_id = own.wallet_id
        where round.opened_at > '-infinity' and round.opened_at <= %(before_at)s
            and (round.opened_at, round.round_id || ' ' || round.provider_id) < (%(before_at)s, %(before_id)s)
        order by round.opened_at desc, place desc
        limit %(limit)s
    ),
    newest as (
        select distinct on (entry.round_id, entry.provider_id)
            entry.round_id, entry.provider_id, entry.balance_after_minor
        from own
        join casino.transactions as entry on entry.ledger_id = %(ledger)s and entry.wallet_id = own.wallet_id
        where entry.sequence_no is not null and entry.round_id in (select page.round_id from page)
        order by entry.round_id, entry.provider_id, entry.sequence_no desc
    )
    select
        page.opened_at, page.place, page.round_id, session.game_code, page.staked_minor, page.paid_minor,
        case when page.credits > 0 then 'ENDED' when page.live_debits = 0 then 'ROLLED_BACK' else 'OPEN' end,
        newest.balance_after_minor
    from page
    join casino.game_sessions as session on session.ledger_id = %(ledger)s and session.session_id = page.session_id
    left join newest on newest.round_id = page.round_id and newest.provider_id = page.provider_id
    order by page.opened_at desc, page.place desc
"""
EXPORT: Final = {
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
        ("sessionId", "startedAt", "lastLoginAt", "endedAt", "openingBalanceMinor"),
        """
        select play_session_id, started_at, last_login_at, ended_at, opening_balance_minor
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
        ("madeAt", "kind", "period", "value", "status", "effectiveAt", "madeBy", "confirmedAt", "replacedAt"),
        """
        select made_at, kind, period, value, player_limits.status, effective_at, made_by_kind, confirmed_at, replaced_at
        from casino.player_limits join own using (ledger_id, player_id)
        order by made_at desc
        """,
    ),
    "exclusions": (
        ("madeAt", "until", "madeBy", "reason"),
        """
        select made_at, nullif(player_exclusions.excluded_until, 'infinity'), made_by_kind, reason
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


class Round(Shape):
    """A round: OPEN, ENDED or ROLLED_BACK. The balance is that after its newest entry."""

    round_id: str
    game_code: str
    at: Instant
    stake_minor: int
    win_minor: int
    state: str
    balance_minor: int | None


class History(Answer):
    """A page of the player's rounds, the newest first."""

    items: list[Round]
    next_cursor: str | None


class Export(Answer):
    """Everything that is held about a player, by part. `is_complete`: no part has more rows."""

    export: dict[str, Any]
    is_complete: bool


async def history(call: Call, query: Page) -> History:
    """GET /player/history."""
    parameters = {"ledger": call.ledger_id, "player": own_id(call), **lists.parameters(query)}
    rows, next_cursor = lists.cut(await call.rows(HISTORY, parameters), query, place=lambda row: (row[0], row[1]))
    items = [
        Round(
            round_id=round_id, game_code=game_code, at=instant(at), stake_minor=staked, win_minor=paid, state=state,
            balance_minor=balance,
        )
        for at, _, round_id, game_code, staked, paid, state, balance in rows
    ]  # fmt: skip
    return History(items=items, next_cursor=next_cursor)


async def export(call: Call, _: Empty) -> Export:
    """GET /player/export."""
    parameters = {"ledger": call.ledger_id, "player": own_id(call), "limit": ROWS_MAX + 1}
    parts: dict[str, Any] = {}
    is_complete = True
    for part, (names, query) in EXPORT.items():
        rows = await call.rows(f"{OWN} {query} limit %(limit)s", parameters)
        is_complete = is_complete and len(rows) <= ROWS_MAX
        parts[part] = [dict(zip(names, map(_shown, row), strict=True)) for row in rows[:ROWS_MAX]]
    parts["player"] = parts["player"][0]
    return Export(export=parts, is_complete=is_complete)


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, Decimal):
        return int(value)
    return str(value) if isinstance(value, UUID) else value
