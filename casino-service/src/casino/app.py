"""The application, in plain sight: what it is made of, which routes it has, what starts and stops with it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import httpx
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from casino import http
from casino.admission import Admission, Places
from casino.background import BackgroundLoop
from casino.callbacks.feed import Feed
from casino.callbacks.routes import Callbacks, is_new_bet, is_signed
from casino.committers import committers
from casino.db import Database
from casino.health import Health
from casino.key_watch import KeyWatch
from casino.log import configure_logging
from casino.metrics import FLUSH_SECONDS, Metrics
from casino.revisions import expected_revision
from casino.sessions.expiry import EXPIRY_CHECK_SECONDS, ExpiredSessions
from casino.sessions.gate import ClientGate
from casino.sessions.launch import Launcher
from casino.sessions.provider_client import ProviderClient
from casino.sessions.routes import ClientEndpoints
from casino.settings import Settings, from_environment
from casino.unsigned import UNSIGNED_CHECK_SECONDS, UnsignedTransactions
from shared_service.connection_caps import ConnectionCaps
from shared_service.processes import end_with_supervisor
from shared_service.sockets import CONNECTION_CAPS, EARLY_ANSWER
from shared_signing.asgi import SignedEndpoints
from shared_signing.signer import Signer
from shared_signing.verifier import Verifier

log = structlog.get_logger()

SIGNATURE_HEADER: Final = "x-casino-signature"
GC_THRESHOLD_OBJECTS: Final = 5_000
NONCE_DRAWER_CHECK_SECONDS: Final = 60.0
CLIENT_PRUNE_SECONDS: Final = 30.0
ASIDE_POOL_SIZE_MAX: Final = 4  # of launches and the feed: however many of them wait, money finds a connection


def create_app(settings: Settings, *, provider_transport: httpx.AsyncBaseTransport | None = None) -> Starlette:
    """The whole service, the same one in tests and in production."""
    database = Database(settings)
    metrics = Metrics(demo=settings.demo)
    places = Places(settings.requests_max, gives_way=is_new_bet, observe=metrics.observe)
    commands, balances, nonces = committers(settings, database, metrics)
    key_watch = KeyWatch(settings)
    casino_keys = key_watch.keys.casino
    provider = ProviderClient(settings.provider_url, key_watch.keys.provider, transport=provider_transport)
    aside = Database(replace(settings, pool_size_max=min(settings.pool_size_max, ASIDE_POOL_SIZE_MAX)))
    metrics.watch_pool(database.connections)
    metrics.watch_pool(aside.connections, pool="aside")
    launcher = Launcher(database=aside, provider=provider, tenant_id=settings.tenant_id, ledger_id=settings.ledger_id)
    gate = ClientGate(aside, settings)
    expired = ExpiredSessions(aside, settings.ledger_id)
    loops = [
        BackgroundLoop("metrics", metrics.flush, interval_seconds=FLUSH_SECONDS),
        BackgroundLoop("nonce_drawers", nonces.empty_old_drawer, interval_seconds=NONCE_DRAWER_CHECK_SECONDS),
        BackgroundLoop("client_limits", gate.prune, interval_seconds=CLIENT_PRUNE_SECONDS),
        BackgroundLoop(
            "unsigned_transactions",
            UnsignedTransactions(aside, settings.ledger_id, metrics).count,
            interval_seconds=UNSIGNED_CHECK_SECONDS,
        ),
        BackgroundLoop("expired_sessions", expired.close_some, interval_seconds=EXPIRY_CHECK_SECONDS),
    ]

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, object]]:
        await asyncio.gather(database.open(), aside.open())
        await key_watch.start()
        for loop in loops:
            loop.start()
        log.info("service_started", demo=settings.demo, group_commit_max=settings.group_commit_max)
        yield {EARLY_ANSWER: places.early_answer, CONNECTION_CAPS: _connection_caps(settings)}
        await asyncio.gather(key_watch.stop(), *(loop.stop() for loop in loops))
        await asyncio.gather(commands.close(), balances.close(), nonces.close())
        await asyncio.gather(provider.close(), database.close(), aside.close())
        log.info("service_stopped")

    app = Starlette(
        routes=[
            *Callbacks(commands, balances, Feed(aside, settings.tenant_id, settings.ledger_id), metrics).routes(),
            *ClientEndpoints(launcher, gate, settings).routes(),
            *Health(database, expected_revision(), settings.ledger_id).routes(),
            *metrics.routes(),
        ],
        middleware=_middleware(
            settings, places, metrics, verifier=Verifier(casino_keys, nonces), signer=Signer(casino_keys)
        ),
        exception_handlers={HTTPException: http.render_http_exception},
        lifespan=lifespan,
    )
    metrics.name_endpoints(app.routes)
    app.router.redirect_slashes = False  # a signature holds for one path: there is nothing to redirect to
    return app


def _middleware(
    settings: Settings, places: Places, metrics: Metrics, *, verifier: Verifier, signer: Signer
) -> list[Middleware]:
    """What a request goes through, the outermost first."""
    return [
        Middleware(Admission, places=places),
        Middleware(http.RequestContext, budget_seconds=settings.request_budget_seconds, observe=metrics.observe),
        Middleware(
            SignedEndpoints,
            header_name=SIGNATURE_HEADER,
            verifier=verifier,
            signer=signer,
            covers=is_signed,
            refuse=http.refuse,
            on_skew=http.warn_of_skew,
            on_clock=metrics.note_skew,
            max_body_bytes=http.BODY_MAX_BYTES,
        ),
        Middleware(http.RenderErrors),
    ]


def _connection_caps(settings: Settings) -> ConnectionCaps:
    return ConnectionCaps(
        connections_max=settings.connections_max,
        per_address_max=settings.connections_per_address,
        exempt=(*settings.trusted_proxies, *settings.peer_networks),
    )


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
