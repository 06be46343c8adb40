"""A casino whose Postgres may fail over: a primary, its standby, the switch before them, and both services.

The provider's books are on a server of their own, as two companies' are.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from e2e_testing.database import Database, create_database, with_database
from e2e_testing.game_session import GameSession
from e2e_testing.service_process import run_command_or_fail
from e2e_testing.stack import CURRENCY, TENANT, Stack, demo_environment, own_stack
from faults.background_play import BackgroundPlay
from faults.faulty_stack import FAST_PROVIDER
from faults.postgres_stack import running_server
from faults.postgres_standby import (
    KEEP_WAL,
    kill_with_its_senders,
    promote,
    replication_stopped,
    running_standby,
    synchronise,
)
from faults.switch import Switch
from local_stack.postgres import Postgres
from local_stack.testing import database_urls

PLAYERS = 8
JOIN_SECONDS_MAX = 120.0
PAUSE_AFTER_TROUBLE_SECONDS = 0.05


@dataclass(slots=True)
class FailoverStack:
    primary: Postgres
    standby: Postgres
    switch: Switch
    stack: Stack
    provider_books: Database
    casino_database: str
    log_dir: Path
    failed_over: bool = False

    @contextmanager
    def casino_books(self) -> Iterator[Database]:
        """The casino's books at whoever is the primary now, asked past the switch."""
        leader = self.standby if self.failed_over else self.primary
        with books_at(leader, self.casino_database) as books:
            yield books

    def sessions(self) -> list[GameSession]:
        return [self.stack.session(balance_minor=100_000_000) for _ in range(PLAYERS)]

    def fail_over(self, *, lag_seconds: float = 0.0) -> float:
        """The primary dies, the switch lets go of it, the standby is promoted. Answers when it died (wall clock).

        With a lag, nothing has reached the standby for that long.
        """
        with replication_stopped(self.primary) if lag_seconds else _as_it_is():
            time.sleep(lag_seconds)
            kill_with_its_senders(self.primary)
        died_at = time.time()
        self.switch.point_to(None)
        promote(self.standby)
        self.failed_over = True
        self.switch.point_to(self.standby.port)
        return died_at


@contextmanager
def failover_stack(*, synchronous: bool) -> Iterator[FailoverStack]:
    work = Path(tempfile.mkdtemp(prefix="failover-"))
    try:
        with (
            running_server(work / "primary", settings=KEEP_WAL) as primary,
            running_server(work / "provider") as elsewhere,
            Switch() as switch,
        ):
            casino, provider = create_database(primary.url()), create_database(elsewhere.url())
            environment = demo_environment(casino, casino_url="http://127.0.0.1:1", provider_url="http://127.0.0.1:1")
            run_command_or_fail("casino", "migrate", environment)
            run_command_or_fail("casino", "seed-demo", environment)
            run_command_or_fail("provider", "migrate", environment | database_urls("provider", provider.url))
            with running_standby(primary, work / "standby") as standby:
                if synchronous:
                    synchronise(primary)
                switch.point_to(primary.port)
                switched = Database(casino.url.replace(f":{primary.port}/", f":{switch.port}/"))
                settings = FAST_PROVIDER | database_urls("provider", provider.url)
                stack = own_stack(switched, work, provider_settings=settings)
                try:
                    yield FailoverStack(primary, standby, switch, stack, provider, casino.name, work)
                finally:
                    stack.close()
                    provider.disconnect()
    finally:
        shutil.rmtree(work, ignore_errors=True)


class MixedRounds(BackgroundPlay):
    """Rounds of every shape through the provider, one at a time for each session, while the block lasts."""

    def __init__(self, stack: Stack, sessions: Sequence[GameSession]) -> None:
        super().__init__(
            [partial(self._play, session) for session in sessions],
            join_seconds_max=JOIN_SECONDS_MAX,
            if_late="a round never ended",
        )
        self.answered = 0
        self.interrupted = 0
        self._stack = stack

    def _play(self, session: GameSession) -> None:
        client = self._stack.signing_client(self._stack.provider)
        content = {
            "sessionToken": session.token,
            "providerSessionId": session.provider_session_id,
            "userId": session.user_id,
            "gameId": "SLOTS_001",
            "currency": CURRENCY,
            "casinoCode": TENANT,
            "script": "mixed",
        }
        while not self.over.is_set():
            try:
                client.post("/provider/simulate", content).must_be_ok()
                self.answered += 1
            except Exception:
                self.interrupted += 1
                time.sleep(PAUSE_AFTER_TROUBLE_SECONDS)


@contextmanager
def books_at(server: Postgres, database: str) -> Iterator[Database]:
    """The casino's books as that server holds them, whoever it takes itself for."""
    books = Database(with_database(server.url(), database))
    try:
        yield books
    finally:
        books.disconnect()


def transactions_on(server: Postgres, database: str) -> int:
    with books_at(server, database) as books:
        count: int = books.row("select count(*) as count from casino.transactions")["count"]
    return count


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield
