"""The two listeners of a service: the caps on connections to them, and TLS on the public one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from starlette.types import Scope

from shared_service.http.dispatch import OpsListener, ops_listener
from shared_service.http.errors import Answer
from shared_service.listener.connection_caps import CONNECTION_CAPS, ConnectionCaps, ListenerCaps
from shared_service.listener.heads import EARLY_ANSWER
from shared_service.run.loops import BackgroundLoop
from shared_service.settings.listeners import ListenerSettings
from shared_service.settings.values import Network
from shared_service.tls import certificates
from shared_service.tls.handshakes import TLS, Tls, tls_of


@dataclass(frozen=True, slots=True)
class Listeners:
    """The public and the operations listener: their caps, and the TLS of the public one."""

    ops: OpsListener
    caps: ListenerCaps
    tls: Tls | None

    def state(self, early_answer: Callable[[Scope], Answer | None]) -> dict[str, object]:
        """Returns the state of the lifespan for new connections. `early_answer` may refuse a request by its head."""
        return {EARLY_ANSWER: early_answer, CONNECTION_CAPS: self.caps, TLS: self.tls}

    def loops(self) -> list[BackgroundLoop]:
        """The loop that reads the certificate's files again; none without TLS."""
        if self.tls is None:
            return []
        step = self.tls.certificate.step
        return [BackgroundLoop("certificate", step, interval_seconds=certificates.LOOK_SECONDS)]


def listeners_of(
    settings: ListenerSettings, on_certificate: Callable[[float], None], *, exempt: Iterable[Network] = ()
) -> Listeners:
    """The listeners of these settings. Networks of `exempt` and of peers have no cap for an address.

    `on_certificate` is called with the certificate's expiry in epoch seconds.
    """
    ops = ops_listener((settings.ops_host, settings.ops_port), (settings.host, settings.port))
    caps = ConnectionCaps(
        connections_max=settings.connections_max,
        per_address_max=settings.connections_per_address,
        exempt=(*exempt, *settings.peer_networks),
    )
    tls = tls_of(settings.tls_cert_file, settings.tls_key_file, ops=ops, observe=on_certificate)
    return Listeners(ops, ListenerCaps(caps, ops=ops), tls)
