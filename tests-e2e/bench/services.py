"""What the bench measures, started by the bench itself: an embedded Postgres with durability on, and both services.

Every service is a child process with one uvicorn worker and its default settings, as an operator would run it. No
setting trades durability for speed.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bench.players import load_players
from bench.presigned import Player
from e2e_testing.database import Database, create_database, drop_database
from e2e_testing.service_process import ServiceProcess, run_command_or_fail
from e2e_testing.stack import demo_environment
from local_stack.ports import free_port
from local_stack.postgres import Postgres

ONE_COMMAND_PER_COMMIT: Final = {"CASINO_GROUP_COMMIT_MAX": "1", "CASINO_GROUP_COMMIT_LANES": "4"}
"""With four connections for it: of 2, 4 and 8 the number that serves it best."""
PACKAGES: Final = ("shared-signing", "shared-service", "casino-service", "provider-service")
PRODUCTION_LOGS: Final = {"LOG_FORMAT": "json"}
OWN_NETWORK: Final = {"CASINO_PEER_NETWORKS": "127.0.0.1", "PROVIDER_PEER_NETWORKS": "127.0.0.1"}
"""The load comes through one address, as a studio's does: an operator says so, or 1,024 connections are its bound."""
POSTGRES_SETTINGS: Final = {
    # After a checkpoint every page is logged whole once; whether that falls into a round would be chance.
    "max_wal_size": "32GB",
    "checkpoint_timeout": "1h",
    # Two million transactions have a gigabyte of indexes: a wallet that large is given a cache to match.
    "shared_buffers": "2GB",
}
KIBIBYTES_PER_MEBIBYTE: Final = 1024
ROOT: Final = Path(__file__).parents[2]
GIT_SECONDS: Final = 120
LOG_CHARACTERS_MAX: Final = 4_000


@dataclass(slots=True)
class Books:
    """One migrated database with bench players in it."""

    database: Database
    players: list[Player]
    ledger_id: int


@dataclass(slots=True)
class BenchServices:
    """Postgres and the services of one run; leaving the context stops all of them and removes their files."""

    player_count: int
    source: Path | None = None
    """A checkout whose services are started instead of those that are installed."""
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="bench-")))
    resources: ExitStack = field(default_factory=ExitStack)
    started_count: int = 0
    postgres: Postgres = field(init=False)

    def __enter__(self) -> Self:
        self.resources.callback(shutil.rmtree, self.folder, ignore_errors=True)
        try:
            self.postgres = self.resources.enter_context(Postgres(self.folder, settings=POSTGRES_SETTINGS))
        except BaseException:
            self.resources.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.resources.close()

    @contextmanager
    def own_services(self) -> Iterator[None]:
        """One group of rows: what it starts and copies is gone when the next group begins."""
        outer = self.resources
        with ExitStack() as inner:
            self.resources = inner
            try:
                yield
            finally:
                self.resources = outer

    def new_books(self) -> Books:
        """An empty database, both schemas, the demo data and the bench's players."""
        database = create_database(self.postgres.url())
        environment = demo_environment(database, casino_url="http://127.0.0.1:1", provider_url="http://127.0.0.1:1")
        environment |= self._python_path()
        run_command_or_fail("casino", "migrate", environment)
        run_command_or_fail("casino", "seed-demo", environment)
        run_command_or_fail("provider", "migrate", environment)
        players = load_players(database.url, count=self.player_count)
        return Books(database=database, players=players, ledger_id=_ledger_id(database))

    def copy_books(self, books: Books) -> Books:
        """A second database with the same content; nobody may be connected to the first."""
        copy = create_database(self.postgres.url(), template=books.database)
        self.resources.callback(drop_database, self.postgres.url(), copy)
        return Books(database=copy, players=books.players, ledger_id=books.ledger_id)

    def drop_books(self, books: Books) -> None:
        drop_database(self.postgres.url(), books.database)

    def start_casino(
        self, books: Books, *, environment: Mapping[str, str] = {}, provider_port: int = 1, port: int | None = None
    ) -> ServiceProcess:
        casino_port = port or free_port()
        return self._start("casino", books, environment, casino_port=casino_port, provider_port=provider_port)

    def start_both(self, books: Books) -> tuple[ServiceProcess, ServiceProcess]:
        casino_port, provider_port = free_port(), free_port()
        casino = self._start("casino", books, {}, casino_port=casino_port, provider_port=provider_port)
        provider = self._start("provider", books, {}, casino_port=casino_port, provider_port=provider_port)
        return casino, provider

    def _start(
        self, package: str, books: Books, environment: Mapping[str, str], *, casino_port: int, provider_port: int
    ) -> ServiceProcess:
        self.started_count += 1
        settings = demo_environment(
            books.database,
            casino_url=f"http://127.0.0.1:{casino_port}",
            provider_url=f"http://127.0.0.1:{provider_port}",
        )
        service = ServiceProcess(
            package,
            casino_port if package == "casino" else provider_port,
            {**settings, **PRODUCTION_LOGS, **OWN_NETWORK, **self._python_path(), **environment},
            self.folder / f"{package}-{self.started_count}.log",
        )
        service.start()
        self.resources.push(_log_shower(service))
        self.resources.callback(service.stop)
        service.wait_until_ready()
        return service

    def _python_path(self) -> dict[str, str]:
        if self.source is None:
            return {}
        return {"PYTHONPATH": os.pathsep.join(str(self.source / package / "src") for package in PACKAGES)}


def _log_shower(service: ServiceProcess) -> Callable[[object, BaseException | None, object], None]:
    """The end of the service's log, when a round of it failed."""

    def show(_kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            error.add_note(f"log of {service.package}:\n{service.log_tail()[-LOG_CHARACTERS_MAX:]}")

    return show


def resident_mebibytes(service: ServiceProcess) -> float:
    """What the kernel says the process holds in memory. Linux only, as the figures of the table are."""
    status = Path(f"/proc/{service.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / KIBIBYTES_PER_MEBIBYTE


def unpack(revision: str, folder: Path) -> None:
    """Write the tree of a revision into a folder. Raises CalledProcessError when there is no such revision."""
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", revision], check=True, capture_output=True, timeout=GIT_SECONDS
    )
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True, timeout=GIT_SECONDS)


def _ledger_id(database: Database) -> int:
    return int(database.row("select min(ledger_id) as ledger_id from casino.wallets")["ledger_id"])
