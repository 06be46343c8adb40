"""The application, in plain sight: what it is made of, which routes it has, what starts and stops with it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Final

import httpx
import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from casino.audit.unsigned import UNSIGNED_CHECK_SECONDS, UnsignedTransactions
from casino.callbacks.feed import Feed
from casino.callbacks.serving import Callbacks
from casino.client.access_token import read_access_token
from casino.client.guard import PLAYER, PlayerGuard
from casino.committers import committers
from casino.db import Database, OutcomeUnknown, Overloaded
from casino.errors import ERRORS
from casino.key_watch import KeyWatch
from casino.ops.health import find_missing
from casino.ops.metrics import FLUSH_SECONDS, Metrics
from casino.sessions.expiry import EXPIRY_CHECK_SECONDS, ExpiredSessions
from casino.sessions.gate import ClientGate
from casino.sessions.launch import Launcher
from casino.sessions.provider_client import ProviderClient
from casino.sessions.serving import ClientEndpoints
from casino.settings import Settings, from_environment
from casino.sql.revisions import expected_revision
from casino.wallet.group_commit import KeyBusy
from shared_service.http.admission import Admission, early_answer
from shared_service.http.authentication import Authenticate, signed_guard
from shared_service.http.exchange import RenderErrors, RequestContext
from shared_service.http.routing import SIGNED, Dispatch, FindRoute, OpsListener, RouteTable, ops_listener
from shared_service.listener.certificates import LOOK_SECONDS as CERTIFICATE_SECONDS
from shared_service.listener.connection_caps import ConnectionCaps, ListenerCaps
from shared_service.listener.handshakes import TLS, Tls, tls_of
from shared_service.listener.sockets import CONNECTION_CAPS, EARLY_ANSWER
from shared_service.run.health import LOOK_SECONDS, Readiness
from shared_service.run.log import configure_logging
from shared_service.run.loops import BackgroundLoop
from shared_service.run.processes import end_with_supervisor
from shared_service.run.scrape import Scrape
from shared_signing.signer import Signer
from shared_signing.verifier import Verifier

log = structlog.get_logger()

SIGNATURE_HEADER: Final = "x-casino-signature"
GC_THRESHOLD_OBJECTS: Final = 5_000
NONCE_DRAWER_CHECK_SECONDS: Final = 60.0
CLIENT_PRUNE_SECONDS: Final = 30.0
ASIDE_POOL_SIZE_MAX: Final = 4  # of launches: however many of them wait, money finds a connection
FEED_POOL_SIZE_MAX: Final = 2  # of the feed and the look-up: players' launches must not delay reconciliation


ANSWERS_TO: Final[Mapping[type[Exception], str]] = {
    KeyBusy: "session_busy",
    Overloaded: "overloaded",
    OutcomeUnknown: "internal",
}
"""The error answers to exceptions of the service's own."""


def create_app(settings: Settings, *, provider_transport: httpx.AsyncBaseTransport | None = None) -> Starlette:
    """The whole service, the same one in tests and in production."""
    database = Database(settings)
    metrics = Metrics(demo=settings.demo)
    admission = Admission(settings.requests_max, errors=ERRORS, observe=metrics.observe)
    commands, balances, nonces = committers(settings, database, metrics)
    key_watch = KeyWatch(settings)
    casino_keys = key_watch.keys.casino
    provider = ProviderClient(
        settings.provider_url, key_watch.keys.provider, ca_file=settings.ca_file, transport=provider_transport
    )
    aside = Database(replace(settings, pool_size_max=min(settings.pool_size_max, ASIDE_POOL_SIZE_MAX)))
    metrics.watch_pool(database.connections)
    metrics.watch_pool(aside.connections, pool="aside")
    launcher = Launcher(database=aside, provider=provider, tenant_id=settings.tenant_id, ledger_id=settings.ledger_id)
    gate = ClientGate(aside, settings)
    expired = ExpiredSessions(aside, settings.ledger_id)
    watch = Database(replace(settings, pool_size_max=1))
    reading = Database(replace(settings, pool_size_max=min(settings.pool_size_max, FEED_POOL_SIZE_MAX)))
    metrics.watch_pool(reading.connections, pool="feed")
    tls = _tls(settings, metrics)
    readiness = Readiness(partial(find_missing, watch, expected_revision(), settings), demo=settings.demo)
    table = RouteTable(
        [
            *Callbacks(
                commands, balances, Feed(reading, settings.tenant_id, settings.ledger_id), metrics.observe_outcome
            ).routes(),
            *ClientEndpoints(launcher, gate, settings).routes(),
            *readiness.routes(),
            *Scrape(metrics.page).routes(),
        ],
        accesses=(SIGNED, PLAYER),
    )
    metrics.name_endpoints(table.routes)
    loops = [
        BackgroundLoop("metrics", metrics.flush, interval_seconds=FLUSH_SECONDS),
        BackgroundLoop("nonce_drawers", nonces.empty_old_drawer, interval_seconds=NONCE_DRAWER_CHECK_SECONDS),
        BackgroundLoop("client_limits", gate.prune, interval_seconds=CLIENT_PRUNE_SECONDS),
        BackgroundLoop(
            "unsigned_transactions",
            UnsignedTransactions(aside, settings.ledger_id, metrics.show_unsigned).count,
            interval_seconds=UNSIGNED_CHECK_SECONDS,
        ),
        BackgroundLoop("readiness", readiness.step, interval_seconds=LOOK_SECONDS),
        BackgroundLoop("expired_sessions", expired.close_some, interval_seconds=EXPIRY_CHECK_SECONDS),
    ]

    if tls is not None:
        loops.append(BackgroundLoop("certificate", tls.certificate.step, interval_seconds=CERTIFICATE_SECONDS))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, object]]:
        await asyncio.gather(database.open(), aside.open(), watch.open(), reading.open())
        await asyncio.gather(key_watch.start(), readiness.step())
        for loop in loops:
            loop.start()
        log.info("service_started", demo=settings.demo, group_commit_max=settings.group_commit_max)
        yield {EARLY_ANSWER: early_answer(table, admission), CONNECTION_CAPS: _connection_caps(settings), TLS: tls}
        await asyncio.gather(key_watch.stop(), *(loop.stop() for loop in loops))
        await asyncio.gather(commands.close(), balances.close(), nonces.close())
        await asyncio.gather(provider.close(), database.close(), aside.close(), watch.close(), reading.close())
        log.info("service_stopped")

    app = Starlette(
        middleware=_middleware(
            settings, table, admission, metrics, verifier=Verifier(casino_keys, nonces), signer=Signer(casino_keys)
        ),
        lifespan=lifespan,
    )
    app.state.table = table
    return app


def _middleware(
    settings: Settings, table: RouteTable, admission: Admission, metrics: Metrics, *, verifier: Verifier, signer: Signer
) -> list[Middleware]:
    """What a request goes through, the outermost first."""

    signed = signed_guard(
        SIGNATURE_HEADER, verifier, signer, errors=ERRORS, admission=admission, on_clock=metrics.note_skew
    )

    def player(app: ASGIApp) -> ASGIApp:
        read_token = None if settings.demo else partial(read_access_token, keys=settings.access_token_keys)
        return RenderErrors(
            PlayerGuard(app, admission=admission, read_token=read_token, calls_at_once_max=settings.client_burst_calls),
            errors=ERRORS,
            codes=ANSWERS_TO,
        )

    return [
        Middleware(FindRoute, table=table, ops=_ops_listener(settings)),
        Middleware(
            RequestContext, errors=ERRORS, budget_seconds=settings.request_budget_seconds, observe=metrics.observe
        ),
        Middleware(Authenticate, guards={SIGNED: signed, PLAYER: player}, admission=admission, errors=ERRORS),
        Middleware(RenderErrors, errors=ERRORS, codes=ANSWERS_TO),
        Middleware(Dispatch),
    ]


def _tls(settings: Settings, metrics: Metrics) -> Tls | None:
    return tls_of(
        settings.tls_cert_file,
        settings.tls_key_file,
        ops=_ops_listener(settings),
        observe=metrics.note_certificate,
    )


def _connection_caps(settings: Settings) -> ListenerCaps:
    public = ConnectionCaps(
        connections_max=settings.connections_max,
        per_address_max=settings.connections_per_address,
        exempt=(*settings.trusted_proxies, *settings.peer_networks),
    )
    return ListenerCaps(public, ops=_ops_listener(settings))


def _ops_listener(settings: Settings) -> OpsListener:
    return ops_listener((settings.ops_host, settings.ops_port), (settings.host, settings.port))


def create_from_environment() -> Starlette:
    """What uvicorn calls in every worker process."""
    end_with_supervisor()
    settings = from_environment()
    configure_logging(log_format=settings.log_format, level=settings.log_level, service="casino")
    app = create_app(settings)
    # What is loaded by now stays for ever: spare the garbage collector from walking it again and again under load.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD_OBJECTS)
    return app
