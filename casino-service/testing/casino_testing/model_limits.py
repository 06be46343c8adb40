"""Limits of a player in plain Python, from the documents: everything is derived from a list of bets and payouts.

Time is in minutes. The local midnight of the tenant is 40 minutes after the run begins, on the first of January.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

PLAY_SESSION_MINUTES: Final = 360
PAUSE_MINUTES: Final = 15
"""The shortest pause before a login that is no play."""
DAY_BEGINS: Final = 40
DAY_MINUTES: Final = 24 * 60
LONG_AGO: Final = -(10**9)
PERIODS: Final = ("day", "week", "month")


def begin_of(period: str, now: int) -> int:
    """When the day, the week or the month of an instant began. The week begins days before the run."""
    if period == "day":
        return now - (now - DAY_BEGINS) % DAY_MINUTES
    return DAY_BEGINS if period == "month" and now >= DAY_BEGINS else LONG_AGO


@dataclass
class Move:
    """A bet or a payout that was booked: what it adds to the loss. A bet that is taken back is no loss."""

    at: int
    play_session: int
    loss_minor: int
    is_returned: bool = False


@dataclass
class Limits:
    """The limits of one player, and what was lost and played."""

    loss_minor: dict[str, int | None] = field(default_factory=dict)
    minutes: dict[str, int | None] = field(default_factory=dict)
    of_play_session: dict[int, int] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    played: list[tuple[int, int]] = field(default_factory=list)
    play_session: int = 0
    """The number of the play session that runs; 0: none began."""
    login_at: int = LONG_AGO
    last_bet_at: int | None = None
    """The newest bet that was booked, or that the time limit refused."""
    booked_at: int = LONG_AGO
    """The newest bet of the play session that was booked."""

    def enter_play_session(self, now: int) -> bool:
        """A game is opened. Returns whether a play session began with it."""
        if now < max(self.login_at, self.booked_at) + PLAY_SESSION_MINUTES:
            return False
        self.play_session += 1
        self.login_at, self.booked_at = now, LONG_AGO
        return True

    def log_in(self, now: int) -> bool:
        """A login. Returns whether a play session began with it."""
        if self.enter_play_session(now):
            return True
        self.login_at = now
        return False

    def reaches_loss(self, stake_minor: int, play_session: int, now: int) -> bool:
        """Whether a stake would reach a limit of losses."""
        of_session = self.of_play_session.get(play_session)
        if of_session is not None and self._lost(LONG_AGO, play_session) + stake_minor >= of_session:
            return True
        return any(
            most is not None and self._lost(begin_of(period, now)) + stake_minor >= most
            for period, most in self.loss_minor.items()
        )

    def reaches_time(self, now: int) -> bool:
        """Whether a bet now comes when a limit of time is reached."""
        return any(
            most is not None and self.minutes_played(period, now) >= most for period, most in self.minutes.items()
        )

    def minutes_played(self, period: str, now: int) -> int:
        """The time played in a period, with that of a bet now."""
        begin = begin_of(period, now)
        spans = [*self.played, (self._playing_since(now), now)]
        return sum(until - max(since, begin) for since, until in spans if until > begin)

    def count_time(self, now: int) -> None:
        """A bet ends a span of play."""
        self.played.append((self._playing_since(now), now))
        self.last_bet_at = now

    def book(self, move: Move, *, is_bet: bool) -> Move:
        """Count a bet or a payout."""
        self.moves.append(move)
        if is_bet:
            self.count_time(move.at)
            self.booked_at = move.at
        return move

    def _playing_since(self, now: int) -> int:
        if self.last_bet_at is None:
            return min(self.login_at, now)
        return min(self.login_at if self.login_at - self.last_bet_at >= PAUSE_MINUTES else self.last_bet_at, now)

    def _lost(self, since: int, play_session: int | None = None) -> int:
        return sum(
            move.loss_minor
            for move in self.moves
            if move.at >= since and not move.is_returned and play_session in (None, move.play_session)
        )
