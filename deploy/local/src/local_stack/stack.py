"""Starts the whole stack: database, logins, migrations, demo data, both services; and stops it in reverse order.

It holds the state folder's lock. When a step fails, it stops what it has started.
"""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from local_stack.databases import ServiceUrls, prepare_database
from local_stack.environment_files import make_key_files, write_environment
from local_stack.ports import is_taken
from local_stack.postgres import Postgres
from local_stack.service import Command, Service, ServiceFailedError
from local_stack.settings import CASINO, PROVIDER, SERVICES, BadSettingError, StackSettings

WATCH_SECONDS = 0.2

Announce = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RunningStack:
    settings: StackSettings
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
def running_stack(settings: StackSettings, announce: Announce) -> Iterator[RunningStack]:
    """Context manager: the stack is ready in the block and stopped after it. `announce`: prints a step."""
    log_dir = settings.state_dir / "logs"
    try:
        log_dir.mkdir(parents=True, exist_ok=True)
        lock = (settings.state_dir / "lock").open("a")
    except OSError as error:
        raise BadSettingError(
            f"the state folder {settings.state_dir} cannot be used ({error.strerror}): set STACK_STATE_DIR"
        ) from error
    with lock, ExitStack() as down:
        _take(lock, settings.state_dir)
        for service in SERVICES:
            _require_free(service, settings)
            make_key_files(settings, service)
        postgres, urls = _databases(settings, announce, down)
        announce("migrating both schemas and loading the demo data")
        _migrate(settings, urls, log_dir, down)
        announce("starting casino and provider")
        services = tuple(_start(settings, urls, log_dir, down))
        for running in services:
            running.wait_until_ready()
        for service in SERVICES:
            write_environment(settings, service, urls[service])
        yield RunningStack(settings, postgres, services)
        announce("stopping")


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
    settings: StackSettings, announce: Announce, down: ExitStack
) -> tuple[Postgres | None, dict[str, ServiceUrls]]:
    """The given URLs, and the embedded server's for a service without one."""
    given = {
        service: ServiceUrls(url, settings.given_database_url(service, owner=True) or url)
        for service in SERVICES
        if (url := settings.given_database_url(service))
    }
    missing = tuple(service for service in SERVICES if service not in given)
    if not missing:
        announce("using the databases given in the environment")
        return None, given
    announce("starting PostgreSQL")
    postgres = Postgres(settings.state_dir)
    down.callback(postgres.stop)
    postgres.start()
    return postgres, {**given, **prepare_database(postgres, missing)}


def _migrate(settings: StackSettings, urls: dict[str, ServiceUrls], log_dir: Path, down: ExitStack) -> None:
    def command(service: str, word: str) -> Command:
        own = urls[service]
        environment = settings.environment(
            service, database_url=own.database_url, owner_database_url=own.owner_database_url
        )
        running = Command(service, word, environment=environment, log_path=log_dir / f"{service}-{word}.log")
        down.callback(running.stop)
        return running

    migrations = [command(service, "migrate") for service in SERVICES]
    for migration in migrations:
        migration.wait()
    command(CASINO, "seed-demo").wait()


def _start(settings: StackSettings, urls: dict[str, ServiceUrls], log_dir: Path, down: ExitStack) -> Iterator[Service]:
    """Start the casino, then the provider. The provider stops first, so its last calls still reach the wallet."""
    for name in (CASINO, PROVIDER):
        environment = settings.environment(name, database_url=urls[name].database_url)
        service = Service(name, settings.url(name), environment=environment, log_path=log_dir / f"{name}.log")
        down.callback(service.stop)
        yield service
