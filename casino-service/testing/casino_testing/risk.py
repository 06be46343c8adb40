"""The signals of the risk engine again, in plain Python, for tests to compare; and a player who plays by the clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any, Final

from casino_testing.tenant import SLOTS, Tenant
from casino_testing.wallet import Session, Wallet, new_id

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEIGHTS: Final = {"BET_ACCEL": 35, "LOSS_STREAK": 35, "SPIN_RATE": 25, "LOSS_CLUSTER": 25, "GAME_HOP": 15}
ACTIONS: Final = {"STOP": 80, "COOLDOWN": 55, "NUDGE": 30}
PAUSES: Final = {"STOP": timedelta.max, "COOLDOWN": timedelta(minutes=10), "NUDGE": timedelta(minutes=5)}
FIVE_MINUTES: Final = timedelta(minutes=5)
RISK: Final = "select * from casino.risk_of(%s, %s, %s::timestamptz, true)"
TAKEN_BEFORE: Final = """
    insert into casino.safety_actions (
        ledger_id, tenant_id, player_id, wallet_id, play_session_id, at, action_type, score, band, reasons, evidence
    )
    select
        ledger_id, tenant_id, player_id, wallet_id, play_session_id, '9999-01-01', taken, 0, 'CALM', '{NONE}', '{}'
    from casino.game_sessions cross join unnest(array['NUDGE', 'COOLDOWN', 'STOP']) as taken
    where session_id = %s
"""
PLAY_SESSION: Final = "select play_session_id from casino.game_sessions where session_id = %s"


def let_be(tenant: Tenant, session: Session) -> None:
    """As if every action had been taken in the session's play session: the risk engine takes no other one there."""
    tenant.sql(TAKEN_BEFORE, session.session_id)


@dataclass(slots=True)
class Round:
    """A round as the model knows it. Money in minor units."""

    game: str
    opened_at: datetime
    stake: int
    paid: int = 0
    ended_at: datetime | None = None
    """Of a spin: when its first credit landed. None: it runs, or was taken back."""


@dataclass(slots=True)
class Model:
    """A play session."""

    opening_minor: int
    rounds: list[Round] = field(default_factory=list)
    """In the order of their first debits."""
    taken: list[tuple[str, datetime]] = field(default_factory=list)
    """The actions, with their times."""
    is_stopped: bool = False

    def settle(self, now: datetime) -> None:
        """A round has ended: take the action that follows."""
        score = self.score(now)
        action = next((name for name, least in ACTIONS.items() if score >= least), None)
        if action is None or self.is_stopped:
            return
        if not any(name == action and now - at < PAUSES[action] for name, at in self.taken):
            self.taken.append((action, now))
            self.is_stopped = action == "STOP"

    def reasons(self, now: datetime) -> list[str]:
        """The signals."""
        ended = [each for each in self.rounds if each.ended_at is not None]
        newest = ended[-20:]
        pairs = list(pairwise(newest))
        gaps = [(after.opened_at - before.opened_at).total_seconds() for before, after in pairs]
        loss = sum(each.stake - each.paid for each in ended if (each.ended_at or now) >= now - FIVE_MINUTES)
        there = {
            "BET_ACCEL": sum(after.stake > before.stake for before, after in pairs) >= 3,
            "LOSS_STREAK": len(ended) >= 12 and all(each.paid < each.stake for each in ended[-12:]),
            "SPIN_RATE": len(gaps) >= 6 and median(gaps) < 1.2,
            "LOSS_CLUSTER": loss >= 5_000 and 10 * loss >= 3 * self.opening_minor,
            "GAME_HOP": len({each.game for each in self.rounds if each.opened_at >= now - FIVE_MINUTES}) >= 3,
        }
        return [name for name in WEIGHTS if there[name]]

    def score(self, now: datetime) -> int:
        """The score, capped."""
        return min(sum(WEIGHTS[name] for name in self.reasons(now)), 100)


class Player:
    """A player of one wallet, whose clock stands still until it is moved."""

    def __init__(
        self, tenant: Tenant, wallet: Wallet, now: datetime, *, balance: int = 1_000_000, forgiven: bool = False
    ) -> None:
        self.tenant, self.wallet, self.now, self.forgiven = tenant, wallet, now, forgiven
        self.player_id = new_id("player")
        self.move(timedelta())
        tenant.open_player(self.player_id, balance_minor=balance)
        self.model = Model(balance)
        self.sessions: dict[str, Session] = {}
        self.session()

    def session(self, game_id: str = SLOTS) -> Session:
        """The player's session of a game."""
        if game_id not in self.sessions:
            self.sessions[game_id] = self.wallet.open_session(self.player_id, game_id=game_id)
        return self.sessions[game_id]

    @property
    def play_session_id(self) -> Any:
        """The play session of the first game session."""
        (row,) = self.tenant.sql(PLAY_SESSION, self.sessions[SLOTS].session_id)
        return row["play_session_id"]

    def move(self, by: timedelta) -> None:
        """Let time pass."""
        self.now += by
        self.wallet.set_clock(self.now)

    def bet(self, stake: int, *, game_id: str = SLOTS) -> Open:
        """Open a round. A player who is forgiven plays on whatever actions were taken."""
        if self.forgiven:
            self.forgive()
        session, round_id = self.session(game_id), new_id("round")
        bet = self.wallet.bet(session, stake, round_id=round_id)
        self.model.rounds.append(Round(game_id, self.now, stake))
        return Open(self, session, self.model.rounds[-1], bet.transaction_id, round_id)

    def spin(self, stake: int = 1_000, paid: int = 0, *, after: float = 0.0, game_id: str = SLOTS) -> None:
        """Play a round `after` so many seconds."""
        self.move(timedelta(seconds=after))
        self.bet(stake, game_id=game_id).pay(paid)

    def spins(self, stakes: Iterable[int], **options: Any) -> None:
        """Play rounds with these stakes."""
        for stake in stakes:
            self.spin(stake, **options)

    def risk(self) -> dict[str, Any]:
        """What the database says of the risk now."""
        (row,) = self.tenant.sql(RISK, self.tenant.ledger_id, self.play_session_id, self.now)
        return row

    def actions(self) -> list[dict[str, Any]]:
        """The actions that were taken, the oldest first."""
        rows = [row for row in self.tenant.rows("safety_actions") if row["player_id"] == self.player_id]
        return sorted(rows, key=lambda row: int(row["action_id"]))

    def types(self) -> list[str]:
        """The types of the actions that were taken."""
        return [row["action_type"] for row in self.actions()]

    def forgive(self) -> None:
        """Take back what actions did to the wallet, so that the next bet is taken."""
        self.tenant.set_wallet(self.player_id, cooldown_until=None, stopped_play_session_id=None)
        self.model.is_stopped = False
        for session in self.sessions.values():
            self.tenant.set_session(session.session_id, closed_at=None, expires_at=self.now + timedelta(hours=1))


@dataclass(slots=True)
class Open:
    """A round whose bet is placed."""

    player: Player
    session: Session
    round: Round
    transaction_id: str
    round_id: str

    def pay(self, amount: int) -> None:
        """Pay, which ends the round."""
        credit = self.session.credit(amount, round_id=self.round_id, related_id=self.transaction_id)
        self.player.wallet.accept(credit)
        self.round.paid += amount
        if self.round.ended_at is None:
            self.round.ended_at = self.player.now
            self.player.model.settle(self.player.now)

    def take_back(self) -> None:
        """Roll the bet back: the round was no spin."""
        self.player.wallet.accept(self.session.rollback(self.transaction_id, round_id=self.round_id))
        self.player.model.settle(self.player.now)


def play_to_stop(player: Player) -> None:
    """Lose twelve spins at once, of which the last has the third rise."""
    opened = [player.bet(stake) for stake in [1_000] * 8 + [2_000, 1_000, 2_000, 3_000]]
    for each in opened:
        each.pay(0)
