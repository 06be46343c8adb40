"""A stack with two casino processes on one database behind the proxy, for what one process could settle in its memory.

Owns starting the second one. Otherwise it is the scene of the other tests.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e_testing.answers import Peer
from e2e_testing.database import Database
from e2e_testing.service_process import ServiceProcess
from faults.conftest import disturbed_stack
from faults.scene import PATIENT_PROVIDER, Scene
from local_stack.ports import free_port
from local_stack.testing import PostgresServer


@dataclass(slots=True)
class TwoCasinos:
    """`second` serves beside the scene's own casino; the proxy lets both take turns."""

    scene: Scene
    second: ServiceProcess

    @property
    def first(self) -> ServiceProcess:
        return self.scene.stack.casino_process

    @property
    def peers(self) -> tuple[Peer, Peer]:
        one = self.scene.stack.casino
        return one, Peer(self.second.url, one.header_name, one.secret)

    def send_to(self, *services: ServiceProcess) -> None:
        self.scene.proxy.upstream.ports = [service.port for service in services]


@contextmanager
def two_casinos(
    server: PostgresServer,
    template: Database,
    log_dir: Path,
    *,
    provider_settings: Mapping[str, str] = PATIENT_PROVIDER,
) -> Iterator[TwoCasinos]:
    with disturbed_stack(server, template, log_dir, provider_settings=provider_settings) as scene:
        first = scene.stack.casino_process
        second = ServiceProcess("casino", free_port(), first.environment, log_dir / "second-casino.log")
        second.restart()
        try:
            both = TwoCasinos(scene, second)
            both.send_to(first, second)
            yield both
        finally:
            second.stop()
