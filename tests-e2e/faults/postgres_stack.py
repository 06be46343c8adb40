"""Both services on a Postgres of their own, which may be broken in every way, and rounds through the provider."""

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from e2e_testing.answers import Answer
from e2e_testing.database import Database, create_database
from e2e_testing.game_session import GameSession
from e2e_testing.postgres_faults import fixed_server, wait_until_gone
from e2e_testing.stack import Stack, migrate_and_seed, own_stack
from faults.background_play import BackgroundPlay
from faults.faulty_stack import FAST_PROVIDER
from local_stack.cluster import remove_cluster
from local_stack.postgres import Postgres

ROUND_PAUSE_SECONDS = 0.1
JOIN_SECONDS_MAX = 120.0


@dataclass(slots=True)
class PostgresStack:
    """A stack whose database server belongs to the test."""

    server: Postgres
    stack: Stack

    @property
    def database(self) -> Database:
        return self.stack.books

    def sessions(self, count: int) -> list[GameSession]:
        return [self.stack.session(balance_minor=100_000_000) for _ in range(count)]


@contextmanager
def running_server(state_dir: Path, *, settings: Mapping[str, str] = {}) -> Iterator[Postgres]:
    """A server at a fixed address, stopped and removed in the end, also when it was killed in between."""
    server = fixed_server(state_dir, settings=settings)
    try:
        server.start()
        yield server
    finally:
        server.stop("immediate")
        wait_until_gone(server)
        remove_cluster(state_dir)
        shutil.rmtree(state_dir, ignore_errors=True)


@contextmanager
def stack_on(
    server: Postgres,
    log_dir: Path,
    *,
    database: Database | None = None,
    casino_settings: Mapping[str, str] = {},
    provider_settings: Mapping[str, str] = FAST_PROVIDER,
    casino_port: int | None = None,
) -> Iterator[PostgresStack]:
    """Both services on a fresh, migrated database of that server."""
    if database is None:
        database = create_database(server.url())
        migrate_and_seed(database)
    with ExitStack() as cleanup:
        stack = own_stack(
            database,
            log_dir,
            casino_settings=casino_settings,
            provider_settings=provider_settings,
            casino_port=casino_port,
        )
        cleanup.callback(stack.close)
        yield PostgresStack(server, stack)


class Rounds(BackgroundPlay):
    """Scripted rounds through the provider, one player for each thread, for as long as the block lasts."""

    def __init__(self, faulty: PostgresStack, players: Sequence[str]) -> None:
        super().__init__(
            [partial(self._play, player) for player in players],
            join_seconds_max=JOIN_SECONDS_MAX,
            if_late="a round never ended",
        )
        self.answers: list[Answer] = []
        self.failures = 0
        self._faulty = faulty

    @property
    def passed(self) -> int:
        return sum(answer.status == 200 and answer.content["passed"] is True for answer in self.answers)

    def _play(self, player: str) -> None:
        while not self.over.is_set():
            try:
                self.answers.append(self._faulty.stack.simulate(player))
            except Exception:
                self.failures += 1
            time.sleep(ROUND_PAUSE_SECONDS)
