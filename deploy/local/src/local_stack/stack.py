"""Starts the whole stack: databases, logins, migrations, demo data, services; and stops it in reverse order.

It has one pair of a casino and a provider, or two pairs that know each other. It holds the state folder's lock. When a
step fails, it stops what it has started.
"""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from local_stack.databases import ServiceUrls, prepare_database
from local_stack.environment_files import make_key_files, write_environment, write_peers
from local_stack.ports import is_taken
from local_stack.postgres import Postgres
from local_stack.service import Command, Service, ServiceFailedError
from local_stack.settings import CASINO, PROVIDER, SERVICES, BadSettingError, StackSettings

WATCH_SECONDS = 0.2

Announce = Callable[[str], None]


Pairs = tuple[StackSettings, ...]
"""The settings of each pair."""


@dataclass(frozen=True, slots=True)
class PreparedStack:
    """What there is before the services start. `urls`: the addresses of each pair's databases, by service."""

    postgres: Postgres | None
    urls: list[dict[str, ServiceUrls]]


@dataclass(frozen=True, slots=True)
class RunningStack:
    pairs: Pairs
    postgres: Postgres | None
    services: tuple[Service, ...]

    def watch(self) -> None:
        """Block while all processes run. Raises ServiceFailedError when one has ended."""
        while True:
            for service in self.services:
                service.require_alive()
            if self.postgres and self.postgres.pid is None:
                raise ServiceFailedError(f"PostgreSQL ended; see {self.postgres.log_path}")
            time.sleep(WATCH_SECONDS)


@contextmanager
def running_stack(pairs: Pairs, announce: Announce) -> Iterator[RunningStack]:
    """Context manager: the stack is ready in the block and stopped after it. `announce`: prints a step."""
    with ExitStack() as down:
        prepared = down.enter_context(prepared_stack(pairs, announce, listens=True))
        announce(f"starting {' and '.join(settings.name_of(name) for settings in pairs for name in SERVICES)}")
        services = tuple(_start(pairs, prepared.urls, pairs[0].state_dir / "logs", down))
        for running in services:
            running.wait_until_ready()
        for settings, urls_of_pair in zip(pairs, prepared.urls, strict=True):
            for service in SERVICES:
                write_environment(settings, service, urls_of_pair[service])
        yield RunningStack(pairs, prepared.postgres, services)
        announce("stopping")


@contextmanager
def prepared_stack(pairs: Pairs, announce: Announce, *, listens: bool) -> Iterator[PreparedStack]:
    """Context manager: the databases run in the block, migrated and with the demo's rows, and no service.

    No other stack runs in the state folder meanwhile. `listens`: the services' ports must be free.
    """
    state_dir = pairs[0].state_dir
    log_dir = state_dir / "logs"
    try:
        log_dir.mkdir(parents=True, exist_ok=True)
        lock = (state_dir / "lock").open("a")
    except OSError as error:
        raise BadSettingError(
            f"the state folder {state_dir} cannot be used ({error.strerror}): set STACK_STATE_DIR"
        ) from error
    with lock, ExitStack() as down:
        _take(lock, state_dir)
        for settings in pairs:
            for service in SERVICES:
                if listens:
                    _require_free(service, settings)
                make_key_files(settings, service)
        if len(pairs) > 1:
            _introduce(pairs)
        postgres, urls = _databases(pairs, announce, down)
        announce("migrating all schemas and loading the demo data")
        _migrate(pairs, urls, log_dir, down)
        yield PreparedStack(postgres, urls)


def _introduce(pairs: Pairs) -> None:
    """Write each service's file of peers, which names the other pair's service."""
    urls = {
        (service, settings.number): settings.base[f"{service.upper()}_URL"]
        for settings in pairs
        for service in SERVICES
    }
    for settings in pairs:
        for service in SERVICES:
            write_peers(settings, service, urls)


def _take(lock: IO[str], state_dir: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BadSettingError(f"another stack is running in {state_dir}: set STACK_STATE_DIR") from None


def _require_free(service: str, settings: StackSettings) -> None:
    for name, (host, port) in settings.listeners(service).items():
        try:
            taken = is_taken(port, host)
        except OSError as error:
            raise BadSettingError(
                f"{host}, port {port} cannot be listened on ({error.strerror}): set {name}_HOST and {name}_PORT"
            ) from error
        if taken:
            raise BadSettingError(f"port {port} is taken: set {name}_PORT to another one")


def _databases(
    pairs: Pairs, announce: Announce, down: ExitStack
) -> tuple[Postgres | None, list[dict[str, ServiceUrls]]]:
    """For each pair the given URLs, and the embedded server's for a service without one."""
    given = [_given_databases(settings) for settings in pairs]
    missing = [tuple(service for service in SERVICES if service not in urls) for urls in given]
    if not any(missing):
        announce("using the databases given in the environment")
        return None, given
    announce("starting PostgreSQL")
    postgres = Postgres(pairs[0].state_dir)
    down.callback(postgres.stop)
    postgres.start()
    return postgres, [
        {**urls, **prepare_database(postgres, services, pair=settings.number)}
        for settings, urls, services in zip(pairs, given, missing, strict=True)
    ]


def _given_databases(settings: StackSettings) -> dict[str, ServiceUrls]:
    given = {}
    for service in SERVICES:
        url, owner_url = settings.given_database_url(service), settings.given_database_url(service, "OWNER")
        if url and not owner_url:
            raise BadSettingError(
                f"{service.upper()}_DATABASE_URL is given without {service.upper()}_OWNER_DATABASE_URL: set both"
            )
        if url and owner_url:
            given[service] = ServiceUrls(url, owner_url, settings.given_database_url(service, "OVERSIGHT"))
    return given


def _migrate(pairs: Pairs, urls: list[dict[str, ServiceUrls]], log_dir: Path, down: ExitStack) -> None:
    def command(settings: StackSettings, of_pair: dict[str, ServiceUrls], *, service: str, word: str) -> Command:
        own = of_pair[service]
        environment = settings.environment(
            service, database_url=own.database_url, owner_database_url=own.owner_database_url
        )
        log_path = log_dir / f"{settings.name_of(service)}-{word}.log"
        running = Command(service, word, environment=environment, log_path=log_path)
        down.callback(running.stop)
        return running

    def commands(*words: tuple[str, str]) -> list[Command]:
        return [
            command(settings, of_pair, service=service, word=word)
            for settings, of_pair in zip(pairs, urls, strict=True)
            for service, word in words
        ]

    for running in commands(*((service, "migrate") for service in SERVICES)):
        running.wait()
    for running in commands((CASINO, "seed-demo")):
        running.wait()


def _start(pairs: Pairs, urls: list[dict[str, ServiceUrls]], log_dir: Path, down: ExitStack) -> Iterator[Service]:
    """Start casinos, then providers. A provider stops first, so its last calls still reach the wallets."""
    for name in (CASINO, PROVIDER):
        for settings, of_pair in zip(pairs, urls, strict=True):
            own = of_pair[name]
            environment = settings.environment(
                name, database_url=own.database_url, oversight_database_url=own.oversight_database_url
            )
            log_path = log_dir / f"{settings.name_of(name)}.log"
            service = Service(name, settings.url(name), environment=environment, log_path=log_path)
            down.callback(service.stop)
            yield service
