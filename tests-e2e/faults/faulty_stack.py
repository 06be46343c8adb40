"""A stack with a faulty network between its services: the rounds that it plays, and both books afterwards."""

import threading
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from e2e_testing.answers import Answer
from e2e_testing.both_books import require_agreement
from e2e_testing.database import Database, Row
from e2e_testing.fault import Call, Fault, Matches, Rule
from e2e_testing.game_session import GameSession
from e2e_testing.stack import CURRENCY, TENANT, Stack
from e2e_testing.wallet_proxy import WalletProxy

# Only a call that is held runs into this deadline: on a busy machine any process stands still for a second or two.
PATIENT_PROVIDER = {
    "PROVIDER_CALL_SECONDS": "8.0",
    "PROVIDER_LEASE_MARGIN_SECONDS": "0.5",
    "PROVIDER_OUTBOX_INTERVAL_SECONDS": "0.1",
}
# Where test after test waits for the deadline, or for the lease of a call that died.
FAST_PROVIDER = PATIENT_PROVIDER | {"PROVIDER_CALL_SECONDS": "3.0"}
ROUND_SECONDS_MAX = 120.0
STEPS = [
    "balance_check",
    "bet_1",
    "bet_2",
    "rollback_bet_2",
    "payout",
    "final_balance_check",
    "idempotency_retry",
    "tombstone_rollback",
    "rejected_rollback",
]


Key = TypeVar("Key", bound=Hashable)
FaultAtCall = tuple[str, int, Fault]
"""The n-th call of an endpoint, and what happens to it."""


@dataclass(slots=True)
class Round:
    """A scripted round that is being played in a thread; `report` is None where its request was cut."""

    session: GameSession
    thread: threading.Thread | None = None
    answer: Answer | None = None
    failure: Exception | None = None

    def wait(self) -> Answer | None:
        assert self.thread is not None
        self.thread.join(ROUND_SECONDS_MAX)
        assert not self.thread.is_alive(), "the round never ended"
        return self.answer

    @property
    def is_over(self) -> bool:
        return self.thread is not None and not self.thread.is_alive()

    @property
    def failed_step(self) -> str:
        """The first step that did not pass, by a whole report that says why: never a crash, never silence."""
        assert self.answer is not None, self.failure
        report = self.answer.must_be_ok().content
        assert report["passed"] is False
        assert [step["action"] for step in report["steps"]] == STEPS
        failed = next(step for step in report["steps"] if not step["passed"])
        assert failed["problem"], "a step that did not pass says why"
        return str(failed["action"])

    @property
    def passed(self) -> bool:
        return self.answer is not None and self.answer.status == 200 and self.answer.content["passed"] is True


@dataclass(slots=True)
class FaultyStack:
    stack: Stack
    proxy: WalletProxy
    rounds: list[Round] = field(default_factory=list)

    @property
    def database(self) -> Database:
        return self.stack.books

    @property
    def casino_secret(self) -> str:
        return self.stack.casino.secret

    def add_fault(self, matches: Matches, fault: Fault, *, times: int = 1) -> Rule:
        return self.proxy.rule(matches, fault, times=times)

    def start_round(self, session: GameSession) -> Round:
        """Ask the provider to play the script for this session, as the casino would."""
        playing = Round(session)
        playing.thread = threading.Thread(target=self._play, args=(playing,), daemon=True)
        self.rounds.append(playing)
        playing.thread.start()
        return playing

    def play_round(self, session: GameSession) -> Round:
        playing = self.start_round(session)
        playing.wait()
        return playing

    def play_with_faults(self, faults: Mapping[Key, FaultAtCall]) -> dict[Key, tuple[Rule, Round]]:
        """Rounds that are played at once, each with a fault at one call: all wait for the deadline together."""
        started: dict[Key, tuple[Rule, Round]] = {}
        for key, (endpoint, number, fault) in faults.items():
            session = self.stack.session()
            rule = self.add_fault(step_of(session, endpoint, number), fault)
            started[key] = rule, self.start_round(session)
        for _, playing in started.values():
            playing.wait()
        return started

    def _play(self, playing: Round) -> None:
        session, client = playing.session, self.stack.signing_client(self.stack.provider)
        content = {
            "sessionToken": session.token,
            "providerSessionId": session.provider_session_id,
            "userId": session.user_id,
            "gameId": "SLOTS_001",
            "currency": CURRENCY,
            "casinoCode": TENANT,
        }
        try:
            playing.answer = client.post("/provider/simulate", content)
        except Exception as error:
            playing.failure = error

    def let_leases_end(self) -> None:
        """End every lease at once: the provider is stopped, so no process holds one."""
        assert self.stack.provider_process.process is None
        self.database.rows("update provider.wallet_transactions set due_at = now() where due_at is not null")
        self.database.rows("update provider.rounds set lease_until = now() where state = 'open'")

    def require_agreement(self) -> None:
        require_agreement(self.database)

    def provider_rows(self, session: GameSession) -> list[Row]:
        return self.database.rows(
            "select wallet_transactions.* from provider.wallet_transactions"
            " join provider.game_sessions using (provider_session_id) where user_id = %(user)s order by created_at",
            user=session.user_id,
        )

    def first_verdict(self, transaction_id: str | None) -> str | None:
        """The code under which the provider wrote down its first attempt of a transaction."""
        rows = self.database.rows(
            "select code from provider.wallet_attempts where transaction_id = %(id)s::uuid order by attempt_id limit 1",
            id=transaction_id,
        )
        return rows[0]["code"] if rows else None

    def balance(self, session: GameSession) -> int:
        row = self.database.row(
            "select balance_minor from casino.wallets where player_id = %(user)s", user=session.user_id
        )
        balance: int = row["balance_minor"]
        return balance


def step_of(session: GameSession, endpoint: str, number: int = 1) -> Matches:
    """The n-th call of an endpoint for this session, counting a repeated transaction once; all attempts of it."""
    seen: list[str] = []

    def matches(call: Call) -> bool:
        if call.token != session.token or call.endpoint != endpoint:
            return False
        key = call.transaction_id or f"call {len(seen)}"
        if key not in seen:
            seen.append(key)
        return seen.index(key) == number - 1

    return matches


def all_calls(session: GameSession) -> Matches:
    return lambda call: call.token == session.token
