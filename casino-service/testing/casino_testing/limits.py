"""A player with limits: sets them, logs in, bets and wins at instants that the test names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from casino.wallet.commands import WalletCommand
from casino_testing.desk import Desk
from casino_testing.tenant import SET_CLOCK, Row, Tenant
from casino_testing.wallet import Session, Wallet, new_id

SESSION_MINUTES: Final = 29
"""For how long after its last bet a game session is used again."""


def count(tenant: Tenant, player_id: str = "1", **limits: Any) -> None:
    """Begin to count for a player, and put limits in force: columns of casino.limit_counters."""
    tenant.sql(
        "select casino.begin_counting(%s, players) from casino.players where ledger_id = %s and player_id = %s",
        tenant.ledger_id, tenant.ledger_id, player_id,
    )  # fmt: skip
    if limits:
        tenant.set_counters(player_id, **limits)


@dataclass
class LimitedPlayer:
    """One player at one wallet, with one clock."""

    tenant: Tenant
    wallet: Wallet
    desk: Desk
    now: datetime
    player_id: str = "1"
    _session: Session | None = None
    _session_until: datetime | None = None
    _session_of: dict[str, Session] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tenant.make_clock_settable()
        self.at(self.now)

    def at(self, now: datetime) -> None:
        """Set the clock of everybody."""
        self.now = now
        self.wallet.set_clock(now)
        for execute in (self.tenant.sql, self.desk.execute):
            execute(SET_CLOCK, now.isoformat())

    def wait(self, **duration: float) -> None:
        """Let time pass."""
        self.at(self.now + timedelta(**duration))

    def set_limit(self, kind: str, period: str, value: int | None, *, staff: bool = False) -> Row:
        """A limit, as the platform sets it."""
        actor = "staff" if staff else "player"
        return self.desk.call("set_limit", self.player_id, kind, period, value, staff, actor, "1")

    def set_session_limit(self, value: int) -> str | None:
        """A limit of the play session that runs; returns the code of a refusal."""
        code = self.desk.call("set_session_limit", self.player_id, self.running(), value)["o_code"]
        return None if code is None else str(code)

    def log_in(self) -> Any:
        """The play session."""
        return self.tenant.sql(
            "select casino.begin_play_session(%s, %s) as id", self.tenant.ledger_id, self.player_id
        )[0]["id"]  # fmt: skip

    def running(self) -> Any:
        """The play session that runs, or None."""
        return self.tenant.sql(
            "select casino.running_play_session(%s, %s) as id", self.tenant.ledger_id, self.player_id
        )[0]["id"]  # fmt: skip

    def session(self) -> Session:
        """A game session in which a bet can be placed now."""
        if self._session is None or self._session_until is None or self.now >= self._session_until:
            self._session = self.wallet.open_session(self.player_id)
        self._session_until = self.now + timedelta(minutes=SESSION_MINUTES)
        return self._session

    def draft(self, amount: int = 1_000) -> WalletCommand:
        """A bet in a round of its own, not yet sent."""
        session = self.session()
        bet = session.debit(amount, round_id=new_id("round"))
        self._session_of[bet.transaction_id] = session
        return bet

    def try_bet(self, amount: int = 1_000) -> str | None:
        """Bet in a round of its own; returns the code of a refusal."""
        return self.wallet.run(self.draft(amount)).code

    def bet(self, amount: int = 1_000) -> WalletCommand:
        """A bet that is booked."""
        bet = self.draft(amount)
        self.wallet.accept(bet)
        return bet

    def win(self, bet: WalletCommand, amount: int) -> None:
        """A payout for a bet, in the session of the bet."""
        session = self._session_of[bet.transaction_id]
        self.wallet.accept(session.credit(amount, round_id=bet.round_id, related_id=bet.transaction_id))

    def take_back(self, bet: WalletCommand) -> None:
        """A rollback of a bet."""
        session = self._session_of[bet.transaction_id]
        self.wallet.accept(session.rollback(bet.transaction_id, round_id=bet.round_id))

    def counters(self) -> Row:
        """The wallet's row of counters."""
        wallet_id = self.tenant.wallet(self.player_id)["wallet_id"]
        (row,) = [row for row in self.tenant.rows("limit_counters") if row["wallet_id"] == wallet_id]
        return row
