"""The application: routes, middleware and lifespan in plain sight.

Owns how the parts hang together; tests and production build the same one. It must never hold a rule of its own.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Final

import structlog
from psycopg_pool import PoolTimeout, TooManyRequests
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from provider.db import create_pool
from provider.errors import ERRORS
from provider.health import find_missing, wallet_health_routes
from provider.key_watch import KeyWatch
from provider.metrics import Metrics
from provider.nonces import PostgresNonceStore
from provider.open_ends import OpenEnds
from provider.outbox.assembly import books_and_courier, outbox_beside_rounds
from provider.reconciliation import serving as reconciliation
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
from shared_service.admission import Admission, early_answer
from shared_service.authentication import Authenticate
from shared_service.certificates import LOOK_SECONDS as CERTIFICATE_SECONDS
from shared_service.connection_caps import ConnectionCaps, ListenerCaps
from shared_service.handshakes import TLS, tls_of
from shared_service.health import LOOK_SECONDS, Readiness
from shared_service.http import RenderErrors, RequestContext, refuse_with, warn_of_skew
from shared_service.log import configure_logging
from shared_service.loops import BackgroundLoop
from shared_service.routing import SIGNED, Dispatch, FindRoute, OpsListener, RouteTable, ops_listener
from shared_service.scrape import Scrape
from shared_service.sockets import CONNECTION_CAPS, EARLY_ANSWER
from shared_signing.asgi import SignedEndpoints
from shared_signing.signer import Signer
from shared_signing.verifier import Verifier

log = structlog.get_logger(__name__)

SIGNATURE_HEADER: Final = "x-provider-signature"


# The pool says so before a statement is sent. Any other error may have come after one.
ANSWERS_TO: Final[Mapping[type[Exception], str]] = {PoolTimeout: "overloaded", TooManyRequests: "overloaded"}


def create_app(settings: Settings, *, clock: Callable[[], float] = time.time) -> Starlette:
    """The provider, not started: connections and loops begin with the lifespan."""
    pool = create_pool(settings)
    sealer = Sealer(settings.sealing_secrets)
    http = create_http_client(
        base_url=settings.casino_url, call_seconds=settings.call_seconds, connect_seconds=settings.connect_seconds,
        ca_file=settings.ca_file,
    )  # fmt: skip
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
    nightly = reconciliation.nightly_reconciliation(
        settings, pool, key_ring=key_watch.keys.casino, sealer=sealer, clock=clock
    )
    watch_pool = create_pool(replace(settings, pool_max=1))
    readiness = Readiness(partial(find_missing, watch_pool, expected_version()), demo=settings.demo)
    simulation = round_routes(
        pool, sealer, books, courier, wallet, script_seconds=settings.script_seconds, rounds_max=settings.rounds_max
    )
    pools = {"rounds": pool, "recovery": recovery_pool}
    table = RouteTable(
        [
            *session_routes(pool, sealer),
            *(simulation if settings.demo else ()),  # a simulated round pays
            *readiness.routes(),
            *wallet_health_routes(wallet_health.report),
            *Scrape(metrics.scrape_of(OpenEnds(pool), pools, health=wallet_health.report)).routes(),
        ],
        accesses=(SIGNED,),
    )
    metrics.name_endpoints(table.routes)
    admission = Admission(settings.requests_max, errors=ERRORS, observe=metrics.observe_request)

    loops = [
        BackgroundLoop("readiness", readiness.step, interval_seconds=LOOK_SECONDS),
        BackgroundLoop("prune_nonces", nonces.prune, interval_seconds=settings.prune_interval_seconds),
        BackgroundLoop("wallet_health", wallet_health.step, interval_seconds=STEP_SECONDS),
        BackgroundLoop("outbox", outbox.step, interval_seconds=settings.outbox_interval_seconds, nudged=outbox_due),
        BackgroundLoop("stale_sessions", StaleSessions(pool).step, interval_seconds=STALE_LOOK_SECONDS),
        *reconciliation.loops(nightly),
    ]

    tls = tls_of(
        settings.tls_cert_file,
        settings.tls_key_file,
        ops=_ops_listener(settings),
        observe=metrics.note_certificate,
    )
    if tls is not None:
        loops.append(BackgroundLoop("certificate", tls.certificate.step, interval_seconds=CERTIFICATE_SECONDS))
    caps = ConnectionCaps(
        connections_max=settings.connections_max,
        per_address_max=settings.connections_per_address,
        exempt=settings.peer_networks,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, object]]:
        async with AsyncExitStack() as stack:
            # The pool fills in the background: a provider that starts before its database says so in /health/ready.
            for each in (pool, recovery_pool, watch_pool):
                await each.open(wait=False)
                stack.push_async_callback(each.close)
            await asyncio.gather(key_watch.start(), readiness.step())
            stack.push_async_callback(key_watch.stop)
            await alarm_of_broken_seals(pool, sealer)
            stack.push_async_callback(wallet.aclose)
            stack.push_async_callback(outbox.drain, timeout_seconds=settings.call_seconds)
            for loop in loops:
                loop.start()
                stack.push_async_callback(loop.stop)
            stack.push_async_callback(reconciliation.close, nightly)
            log.info("provider_started", casino_url=settings.casino_url, demo=settings.demo)
            places = ListenerCaps(caps, ops=_ops_listener(settings))
            yield {EARLY_ANSWER: early_answer(table, admission), CONNECTION_CAPS: places, TLS: tls}
            log.info("provider_stopping")

    app = Starlette(
        routes=[Dispatch()],
        middleware=_middleware(
            settings, table, admission, metrics, verifier=Verifier(key_ring, nonces, clock=clock),
            signer=Signer(key_ring, clock),
        ),
        lifespan=lifespan,
    )  # fmt: skip
    app.state.table = table
    return app


def _middleware(
    settings: Settings, table: RouteTable, admission: Admission, metrics: Metrics, *, verifier: Verifier, signer: Signer
) -> list[Middleware]:
    """What a request goes through, the outermost first."""

    def signed(app: ASGIApp) -> ASGIApp:
        return SignedEndpoints(
            app,
            header_name=SIGNATURE_HEADER,
            verifier=verifier,
            signer=signer,
            refuse=refuse_with(ERRORS),
            on_skew=warn_of_skew,
            on_clock=metrics.note_skew,
            enter=admission.enter,
            leave=admission.leave,
        )

    return [
        Middleware(FindRoute, table=table, ops=_ops_listener(settings)),
        Middleware(
            RequestContext, errors=ERRORS, budget_seconds=settings.call_seconds, observe=metrics.observe_request
        ),
        Middleware(Authenticate, guards={SIGNED: signed}, admission=admission, errors=ERRORS),
        Middleware(RenderErrors, errors=ERRORS, codes=ANSWERS_TO),
    ]


def _ops_listener(settings: Settings) -> OpsListener:
    return ops_listener((settings.ops_host, settings.ops_port), (settings.host, settings.port))


def create_from_environment() -> Starlette:
    """What the server calls in the process that serves."""
    settings = Settings.from_environment()
    configure_logging(log_format=settings.log_format, level=settings.log_level, service="provider")
    return create_app(settings)
