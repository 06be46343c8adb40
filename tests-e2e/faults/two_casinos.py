"""A stack with two casino processes on one database behind the proxy, for what one process could settle in its memory.

Otherwise it is the faulty stack of the other tests.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e_testing.answers import Peer
from e2e_testing.database import Database
from e2e_testing.service_process import ServiceProcess
from faults.conftest import faulty_stack
from faults.faulty_stack import PATIENT_PROVIDER, FaultyStack
from local_stack.ports import free_port
from local_stack.testing import PostgresServer


@dataclass(slots=True)
class TwoCasinos:
    """`second` serves beside the stack's own casino; the proxy lets both take turns."""

    faulty: FaultyStack
    second: ServiceProcess

    @property
    def first(self) -> ServiceProcess:
        return self.faulty.stack.casino_process

    @property
    def peers(self) -> tuple[Peer, Peer]:
        one = self.faulty.stack.casino
        return one, Peer(self.second.url, one.header_name, one.secret)

    def send_to(self, *services: ServiceProcess) -> None:
        self.faulty.proxy.upstream.ports = [service.port for service in services]


@contextmanager
def two_casinos(
    server: PostgresServer,
    template: Database,
    log_dir: Path,
    *,
    provider_settings: Mapping[str, str] = PATIENT_PROVIDER,
) -> Iterator[TwoCasinos]:
    with faulty_stack(server, template, log_dir, provider_settings=provider_settings) as faulty:
        first = faulty.stack.casino_process
        second = ServiceProcess("casino", free_port(), first.environment, log_dir / "second-casino.log")
        second.restart()
        try:
            both = TwoCasinos(faulty, second)
            both.send_to(first, second)
            yield both
        finally:
            second.stop()
