"""The application: routes, middleware and lifespan in plain sight.

Owns how the parts hang together; tests and production build the same one. It must never hold a rule of its own.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from provider.admission import Admission
from provider.db import create_pool
from provider.error_edge import ErrorEdge, on_http_exception, on_provider_error, refuse, warn_of_skew
from provider.errors import ProviderError
from provider.health import health_routes
from provider.key_watch import KeyWatch
from provider.loops import BackgroundLoop
from provider.metrics import Metrics
from provider.nonces import PostgresNonceStore
from provider.open_ends import OpenEnds
from provider.outbox.assembly import books_and_courier, outbox_beside_rounds
from provider.reconciliation.assembly import nightly_reconciliation
from provider.reconciliation.nightly import NIGHTLY_LOOK_SECONDS
from provider.request_id import RequestIdMiddleware
from provider.rounds.routes import round_routes
from provider.sessions.routes import session_routes
from provider.sessions.seal_check import alarm_of_broken_seals
from provider.sessions.sealing import Sealer
from provider.sessions.stale import STALE_LOOK_SECONDS, StaleSessions
from provider.settings import Settings
from provider.sql.versions import expected_version
from provider.wallet_client.client import WalletClient
from provider.wallet_client.health import STEP_SECONDS, WalletHealth
from provider.wallet_client.transport import create_http_client
from shared_service.connection_caps import ConnectionCaps
from shared_service.sockets import CONNECTION_CAPS
from shared_signing.asgi import SignedEndpoints
from shared_signing.signer import Signer
from shared_signing.verifier import Verifier

log = structlog.get_logger(__name__)

SIGNATURE_HEADER: Final = "x-provider-signature"


def create_app(settings: Settings, *, clock: Callable[[], float] = time.time) -> Starlette:
    """The provider, not started: connections and loops begin with the lifespan."""
    pool = create_pool(settings)
    sealer = Sealer(settings.sealing_secrets)
    http = create_http_client(
        base_url=settings.casino_url, call_seconds=settings.call_seconds, connect_seconds=settings.connect_seconds
    )
    key_watch = KeyWatch(settings, sealer, clock=clock)
    metrics, wallet_health = Metrics(demo=settings.demo), WalletHealth(http, clock=clock)
    wallet = WalletClient(
        http, key_watch.keys.casino, call_seconds=settings.call_seconds, clock=clock,
        watchers=(metrics.observe_call, wallet_health.note),
    )  # fmt: skip
    nonces = PostgresNonceStore(pool)
    key_ring = key_watch.keys.provider

    outbox_due = asyncio.Event()
    books, courier = books_and_courier(settings, pool, wallet, nudge=outbox_due.set)
    recovery_pool, outbox = outbox_beside_rounds(settings, wallet, sealer, nudge=outbox_due.set)
    nightly = nightly_reconciliation(settings, pool, key_ring=key_watch.keys.casino, sealer=sealer, clock=clock)
    loops = [
        BackgroundLoop("prune_nonces", nonces.prune, interval_seconds=settings.prune_interval_seconds),
        BackgroundLoop("wallet_health", wallet_health.step, interval_seconds=STEP_SECONDS),
        BackgroundLoop("outbox", outbox.step, interval_seconds=settings.outbox_interval_seconds, nudged=outbox_due),
        BackgroundLoop("stale_sessions", StaleSessions(pool).step, interval_seconds=STALE_LOOK_SECONDS),
        BackgroundLoop("reconciliation", nightly.step, interval_seconds=NIGHTLY_LOOK_SECONDS),
    ]

    caps = ConnectionCaps(
        connections_max=settings.connections_max,
        per_address_max=settings.connections_per_address,
        exempt=settings.peer_networks,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, object]]:
        async with AsyncExitStack() as stack:
            # The pool fills in the background: a provider that starts before its database says so in /health/ready.
            for each in (pool, recovery_pool):
                await each.open(wait=False)
                stack.push_async_callback(each.close)
            await key_watch.start()
            stack.push_async_callback(key_watch.stop)
            await alarm_of_broken_seals(pool, sealer)
            stack.push_async_callback(wallet.aclose)
            stack.push_async_callback(outbox.drain, timeout_seconds=settings.call_seconds)
            for loop in loops:
                loop.start()
                stack.push_async_callback(loop.stop)
            stack.push_async_callback(nightly.interrupt)
            log.info("provider_started", casino_url=settings.casino_url, demo=settings.demo)
            yield {CONNECTION_CAPS: caps}
            log.info("provider_stopping")

    app = Starlette(
        routes=[
            *health_routes(pool, expected_version=expected_version(), wallet=wallet_health.report),
            *metrics.routes(OpenEnds(pool), {"rounds": pool, "recovery": recovery_pool}, health=wallet_health.report),
            *session_routes(pool, sealer),
            *round_routes(pool, sealer, books, courier, wallet, script_seconds=settings.script_seconds),
        ],
        middleware=_middleware(settings, metrics, Verifier(key_ring, nonces, clock=clock), Signer(key_ring, clock)),
        exception_handlers={ProviderError: on_provider_error, HTTPException: on_http_exception},
        lifespan=lifespan,
    )
    metrics.name_endpoints(app.routes)
    return app


def _middleware(settings: Settings, metrics: Metrics, verifier: Verifier, signer: Signer) -> list[Middleware]:
    """What a request goes through, the outermost first."""
    return [
        Middleware(RequestIdMiddleware, observe=metrics.observe_request),
        Middleware(
            Admission,
            requests_max=settings.requests_max,
            rounds_max=settings.rounds_max,
            refuse=lambda scope, code: refuse(scope, code, {}),
        ),
        Middleware(
            SignedEndpoints,
            header_name=SIGNATURE_HEADER,
            verifier=verifier,
            signer=signer,
            covers=lambda path: path.startswith("/provider/"),
            refuse=refuse,
            on_skew=warn_of_skew,
            on_clock=metrics.note_skew,
        ),
        Middleware(ErrorEdge),
    ]
