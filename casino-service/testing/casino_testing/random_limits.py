"""Random limits of losses and time beside random commands: a part of `RandomCommands`. One player has none."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from casino.wallet.commands import WalletCommand
from casino_testing.limits import count
from casino_testing.model import Model
from casino_testing.tenant import SET_CLOCK, Tenant
from casino_testing.wallet import Session, new_id

LIMITED = ("p1", "p2")
MIDNIGHT_AFTER_40_MINUTES = "XXX0:40"
SET_OF_SESSION = """
    update casino.play_sessions set loss_limit_minor = %s
    where ledger_id = %s and player_id = %s and ended_at is null
"""
limited = st.sampled_from(LIMITED)
periods = st.sampled_from(["day", "day", "week", "month"])
losses = st.sampled_from([None, None, 0, 20_000, 41_000, 120_000])
times = st.sampled_from([None, None, 0, 15, 45, 90])


class RandomLimits(RuleBasedStateMachine):
    """Sets limits."""

    reached: Counter[str]
    tenant: Tenant
    model: Model
    sessions: list[Session]

    def begin_counting(self, now: datetime) -> None:
        """From the first moment, so that nothing has to be found in a history."""
        self.tenant.set_tenant(timezone=MIDNIGHT_AFTER_40_MINUTES)
        self.tenant.sql(SET_CLOCK, now.isoformat())
        for player_id in LIMITED:
            count(self.tenant, player_id)

    @abstractmethod
    def build(self, draft: dict[str, object], number: int) -> WalletCommand:
        """A command of one of the sessions."""

    @abstractmethod
    def execute(self, *commands: WalletCommand) -> None:
        """Execute commands, and compare their outcomes with the model's."""

    @abstractmethod
    def moment(self, at_minutes: int) -> datetime:
        """An instant of the run."""

    @abstractmethod
    def time_passes(self, passing: int) -> None:
        """Let minutes pass."""

    @rule(
        number=st.integers(0, 5),
        pauses=st.lists(st.integers(1, 12), min_size=2, max_size=5),
        won=st.booleans(),
        minutes_left=st.sampled_from([None, 1, 10]),
        login=st.booleans(),
    )
    def a_limited_player_plays_on(
        self, number: int, pauses: list[int], won: bool, minutes_left: int | None, login: bool
    ) -> None:
        """Rounds of their own, of a session of a player whose day may be about to end."""
        player_id = self.sessions[number].player_id
        played = self.model.wallets[player_id].limits.minutes_played("day", self.model.now)
        self.time_is_limited(player_id, "day", None if minutes_left is None else played + minutes_left)
        for pause in pauses:
            self.time_passes(pause)
            if login:
                self.a_player_logs_in(player_id, 0)
            common: dict[str, object] = {"round_id": new_id("a round of many")}
            bet = self.build({"kind": "debit", "transaction_id": new_id("bet"), "amount": 10_000, **common}, number)
            self.execute(bet)
            answer = {"kind": "credit", "amount": 15_000 * won, "related_id": bet.transaction_id}
            self.execute(self.build({**answer, "transaction_id": new_id("win"), **common}, number))

    @rule(player_id=limited, pause=st.integers(10, 20))
    def a_player_logs_in(self, player_id: str, pause: int) -> None:
        self.time_passes(pause)
        self.tenant.sql(SET_CLOCK, self.moment(self.model.now).isoformat())
        self.tenant.sql("select casino.begin_play_session(%s, %s)", self.tenant.ledger_id, player_id)
        if self.model.wallets[player_id].limits.log_in(self.model.now):
            self.a_play_session_begins(player_id)

    def a_play_session_begins(self, player_id: str) -> None:
        """What was launched before and is alive counts in it."""
        for session in self.model.sessions.values():
            if session.player_id == player_id and self.model.alive(session):
                session.play_session = self.model.wallets[player_id].limits.play_session

    @rule(player_id=limited, period=periods, most=losses)
    def a_loss_is_limited(self, player_id: str, period: str, most: int | None) -> None:
        self.model.wallets[player_id].limits.loss_minor[period] = most
        self.tenant.set_counters(player_id, **{f"{period}_loss_max_minor": most})

    @rule(player_id=limited, period=periods, most=times)
    def time_is_limited(self, player_id: str, period: str, most: int | None) -> None:
        self.model.wallets[player_id].limits.minutes[period] = most
        limit = None if most is None else timedelta(minutes=most)
        self.tenant.set_counters(player_id, **{f"{period}_time_max": limit})

    @rule(player_id=limited, most=st.sampled_from([20_000, 60_000, 120_000]))
    def a_play_session_is_limited(self, player_id: str, most: int) -> None:
        limits = self.model.wallets[player_id].limits
        limits.of_play_session[limits.play_session] = most
        self.tenant.sql(SET_OF_SESSION, most, self.tenant.ledger_id, player_id)
