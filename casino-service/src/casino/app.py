"""The casino's application: routes, loops, middleware and lifespan. Tests and production use the same one."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import httpx
import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware

from casino.audit import serving as audit
from casino.callbacks import serving as callbacks
from casino.client import serving as client
from casino.client.guard import PLAYER
from casino.client.limits import ClientLimits
from casino.errors import ERRORS
from casino.events import serving as events
from casino.openapi import serving as openapi
from casino.ops import serving as ops
from casino.ops.metrics import Metrics
from casino.platform.serving import ACCESSES, ERRORS_BELOW, platform_of
from casino.sessions import serving as sessions
from casino.sessions.providers import Providers, key_watch_of
from casino.settings import Settings
from casino.sql.schema import database_for
from casino.wallet import serving as wallet
from shared_service.http.admission import Admission, early_answer
from shared_service.http.authentication import Authenticate, signed_guard
from shared_service.http.dispatch import Dispatch, FindRoute
from shared_service.http.exchange import RenderErrors, RequestContext
from shared_service.http.routing import SIGNED, RouteTable
from shared_service.listener.listeners import listeners_of
from shared_service.postgres.database import Overloaded
from shared_service.postgres.group_commit import KeyBusy
from shared_service.run.log import configure_logging
from shared_service.run.loops import running
from shared_service.run.processes import end_with_supervisor, spare_garbage_collector
from shared_signing.signer import Signer
from shared_signing.verifier import Verifier

log = structlog.get_logger()

ANSWERS_TO: Final[Mapping[type[Exception], str]] = {KeyBusy: "session_busy", Overloaded: "overloaded"}
GENERAL_POOL_MAX: Final = 4  # launches and loops: they take no connection from money
FEED_POOL_MAX: Final = 2  # feed and look-up: launches must not delay reconciliation


def create_app(settings: Settings, *, provider_transport: httpx.AsyncBaseTransport | None = None) -> Starlette:
    """Builds the application. Connections and loops start with the lifespan."""
    database, general, reading, watching, watching_keys = (
        database_for(settings, size_max=most) for most in (None, GENERAL_POOL_MAX, FEED_POOL_MAX, 1, 1)
    )
    metrics = Metrics(demo=settings.demo)
    keys = key_watch_of(settings, watching_keys, metrics.show_refused_files)
    own_ring, providers = keys.keys.ring("casino"), Providers(settings, keys.keys, provider_transport)
    platform = platform_of(settings, providers, metrics)
    launcher = sessions.launcher_of(settings, general, providers)
    queues = wallet.wallet_queues(settings, database, batched=metrics.batched)
    nonces, readiness = callbacks.nonce_store(settings, database), ops.readiness_of(settings, watching)
    metrics.watch(
        queues={"money": queues.commands, "balances": queues.balances, "nonces": nonces},
        pools={"money": database, "general": general, "feed": reading},
    )
    listeners = listeners_of(settings.listeners, metrics.note_certificate, exempt=settings.trusted_proxies)
    errors = events.error_events(settings, general, metrics.count_lost_errors)
    observe, note_outcome = errors.observing(metrics.observe), errors.noting(metrics.observe_outcome)
    limits = ClientLimits(general, settings)
    admission = Admission(settings.requests_max, errors=ERRORS, observe=observe, has_peers=providers.are_several)
    routes = [
        *callbacks.routes(settings, queues, reading, note_outcome, is_draining=providers.is_draining),
        *(*sessions.routes(settings, launcher, limits), *ops.routes(readiness, metrics), *platform.routes),
    ]
    pages = platform.pages(routes)
    routes += [*openapi.routes(routes, platform.frame.operations), *pages.routes]
    loops = [
        *(*callbacks.loops(nonces), *sessions.loops(settings, general), *client.loops(limits)),
        *audit.loops(settings, general, show=metrics.show_unsigned),
        *events.loops(settings, general, errors, show_missing_months=metrics.show_missing_months),
        *(*ops.loops(readiness, metrics), *listeners.loops(), *platform.loops),
    ]
    metrics.name_endpoints(routes)
    table = RouteTable(routes, accesses=(SIGNED, PLAYER, *ACCESSES), errors_below=ERRORS_BELOW)
    signed = signed_guard(
        callbacks.SIGNATURE_HEADER, Verifier(own_ring, nonces), Signer(own_ring),
        errors=ERRORS, admission=admission, on_clock=metrics.note_skew,
    )  # fmt: skip
    guards = {SIGNED: signed, PLAYER: client.player_guard(settings, admission), **platform.guards(admission, pages)}
    middleware = [  # the outermost first
        Middleware(FindRoute, table=table, ops=listeners.ops),
        Middleware(RequestContext, errors=ERRORS, budget_seconds=settings.request_budget_seconds, observe=observe),
        Middleware(Authenticate, guards=guards, admission=admission, errors=ERRORS),
        Middleware(RenderErrors, errors=ERRORS, codes=ANSWERS_TO),
        Middleware(Dispatch),
    ]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, object]]:
        async with AsyncExitStack() as stack:
            for each in (database, general, reading, watching):
                await stack.enter_async_context(each)
            await platform.open(stack)
            await asyncio.gather(keys.start(), readiness.step())
            stack.push_async_callback(keys.stop)
            stack.push_async_callback(events.close, errors)
            stack.push_async_callback(sessions.close, launcher)
            stack.push_async_callback(callbacks.close, nonces)
            stack.push_async_callback(wallet.close, queues)
            await stack.enter_async_context(running(loops))
            log.info("service_started", demo=settings.demo, group_commit_max=settings.group_commit_max)
            yield listeners.state(early_answer(table, admission))
        log.info("service_stopped")

    app = Starlette(middleware=middleware, lifespan=lifespan)
    app.state.table, app.state.operations = table, tuple(platform.frame.operations)
    return app


def create_from_environment() -> Starlette:
    """The factory that each serving process calls."""
    end_with_supervisor()
    settings = Settings.from_environment()
    configure_logging(log_format=settings.log_format, level=settings.log_level, service="casino")
    app = create_app(settings)
    spare_garbage_collector()
    return app
