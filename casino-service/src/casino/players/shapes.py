"""What the platform says of players, their limits, payments that wait, and shifts: the shapes of its answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType

from casino.api.types import Answer, Instant, Shape, instant
from casino.safety.actions import SafetyAction


class Limit(Shape):
    """A limit that is in force (ACTIVE), or that the player asked for (PENDING)."""

    limit_id: str
    kind: str
    period: str
    value: int | None
    """Minor units, of kind time minutes. None: no such limit."""
    status: str
    effective_at: Instant
    session_id: str | None
    """Of period session: the play session, with which it ends."""


class Bonus(Shape):
    """A player's newest bonus: PENDING, GRANTED or FORFEITED."""

    amount_minor: int
    state: str


class Exclusion(Shape):
    """An exclusion that is in force. `until` is None for ever."""

    until: Instant | None


class LedgerItem(Shape):
    """An entry of a player's wallet, with the balance after it."""

    at: Instant
    kind: str
    amount_minor: int
    balance_minor: int
    round_id: str | None
    reason: str | None
    reference: str


class Player(Shape):
    """A player, as staff sees one."""

    player_id: str
    tenant_id: str
    status: str
    currency: str
    balance_minor: int
    bonus: Bonus | None
    limits: list[Limit]
    safety_actions: list[SafetyAction]
    """The newest ones."""
    exclusion: Exclusion | None
    issued_by: str | None
    """The staff id that issued the player's voucher."""
    ledger: list[LedgerItem] | UnsetType = UNSET
    """The newest entries of the wallet; only of one player."""


class OnePlayer(Answer):
    """A player."""

    player: Player


class Players(Answer):
    """A page of players, the newest first."""

    items: list[Player]
    next_cursor: str | None


class OneLimit(Answer):
    """A limit."""

    limit: Limit


class Excluded(Answer):
    """The exclusion that is in force now."""

    exclusion: Exclusion


class Approval(Shape):
    """A payment that waits for somebody else's decision, or waited: WITHDRAW, CASHOUT or ADJUST."""

    approval_id: str
    kind: str
    player_id: str
    amount_minor: int
    reason: str
    requested_by: str
    requested_at: Instant
    status: str
    """PENDING, APPROVED or REJECTED."""
    decided_by: str | None
    decided_at: Instant | None


class OneApproval(Answer):
    """An approval."""

    approval: Approval


class Approvals(Answer):
    """A page of approvals, the newest first."""

    items: list[Approval]
    next_cursor: str | None


def moment(value: datetime | None) -> str | None:
    """Returns an instant as answers show it, or None."""
    return None if value is None else instant(value)


def limit_of(row: tuple[Any, ...]) -> Limit:
    """Returns a limit from its id, kind, period, value, status, instant, and of a play session's limit its id."""
    limit_id, kind, period, value, status, effective_at, *session = row
    return Limit(
        limit_id=str(limit_id), kind=kind, period=period, value=value, status=status,
        effective_at=instant(effective_at), session_id=session[0] if session else None,
    )  # fmt: skip
