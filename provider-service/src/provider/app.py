"""Builds the provider's application: routes, loops, middleware, lifespan. Tests and production use the same one."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware

from provider.description import SIGNATURE_HEADER, description_routes
from provider.errors import CODES_BY_EXCEPTION, ERRORS
from provider.offers import serving as offers
from provider.ops import serving as ops
from provider.ops.backlog import BacklogReader
from provider.ops.metrics import Metrics
from provider.ops.nonces import PostgresNonceStore
from provider.outbox import serving as outbox
from provider.play import serving as play
from provider.reconciliation import serving as reconciliation
from provider.rounds import serving as rounds
from provider.sessions import serving as sessions
from provider.sessions.peers import peers_of
from provider.sessions.sealing import log_broken_seals
from provider.settings import Settings
from provider.spins import serving as spins
from provider.sql.schema import database_for
from shared_service.http.admission import Admission, early_answer
from shared_service.http.authentication import Authenticate, signed_guard
from shared_service.http.dispatch import Dispatch, FindRoute
from shared_service.http.exchange import RenderErrors, RequestContext
from shared_service.http.routing import SIGNED, RouteTable
from shared_service.listener.listeners import listeners_of
from shared_service.metrics.scrape import Scrape
from shared_service.run.log import configure_logging
from shared_service.run.loops import running
from shared_signing.signer import Signer
from shared_signing.verifier import Verifier

log = structlog.get_logger(__name__)


def create_app(settings: Settings, *, clock: Callable[[], float] = time.time) -> Starlette:
    """Build the application. Connections and loops start with its lifespan."""
    pool, recovery_pool, reconciling_pool, readiness_pool = (
        database_for(settings, size_max=most)
        for most in (None, outbox.RECOVERY_POOL_MAX, reconciliation.RECONCILIATION_POOL_MAX, 1)
    )
    metrics = Metrics(demo=settings.demo)
    peers = peers_of(settings, clock=clock, observe=metrics.observe_call, show_refused=metrics.show_refused_files)
    casinos, wallets, sealer = peers.casinos, peers.wallets, peers.sealer
    money = outbox.money_calls(settings, pool, recovery_pool, peers=peers)
    nights = reconciliation.nights_of(settings, reconciling_pool, casinos, sealer=sealer, clock=clock)
    played = spins.spins_of(settings, pool, money)
    pages = play.play_of(settings, pool, casinos, money, played, sealer=sealer)
    nonces, own_ring = PostgresNonceStore(pool), peers.keys.keys.ring("provider")
    readiness = ops.readiness_of(settings, readiness_pool)
    metrics.watch_pools({"rounds": pool, "recovery": recovery_pool, "reconciliation": reconciling_pool})
    scrape = Scrape(metrics.scrape_of(BacklogReader(pool, casinos.called), health=wallets.reports))
    listeners = listeners_of(settings.listeners, metrics.note_certificate)
    admission = Admission(settings.requests_max, errors=ERRORS, observe=metrics.observe, has_peers=casinos.are_several)
    routes = [
        *sessions.routes(settings, casinos, pool, sealer, pages.tickets),
        *rounds.routes(settings, pool, sealer, money, casinos),
        *spins.routes(settings, sealer, casinos, played),
        *(*offers.routes(pool, played.stops), *play.routes(settings, pages, casinos)),
        *ops.routes(readiness, wallets.reports, scrape),
    ]
    routes += description_routes(routes)
    loops = [
        *ops.loops(settings, readiness, nonces, wallets),
        *(*listeners.loops(), *outbox.loops(settings, money), *reconciliation.loops(nights)),
        *(*sessions.loops(pool), *spins.loops(played), *play.loops(pages)),
    ]
    metrics.name_endpoints(routes)
    table = RouteTable(routes, accesses=(SIGNED, *play.ACCESSES))
    signed = signed_guard(
        SIGNATURE_HEADER, Verifier(own_ring, nonces, clock=clock), Signer(own_ring, clock),
        errors=ERRORS, admission=admission, on_clock=metrics.note_skew,
    )  # fmt: skip
    guards = play.guards(pages, admission, signed=(SIGNATURE_HEADER, signed))
    middleware = [  # the outermost first
        Middleware(FindRoute, table=table, ops=listeners.ops),
        Middleware(RequestContext, errors=ERRORS, budget_seconds=settings.call_seconds, observe=metrics.observe),
        Middleware(Authenticate, guards={SIGNED: signed, **guards}, admission=admission, errors=ERRORS),
        Middleware(RenderErrors, errors=ERRORS, codes=CODES_BY_EXCEPTION),
        Middleware(Dispatch),
    ]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, object]]:
        async with AsyncExitStack() as stack:
            # The pools fill in the background: without its database the provider starts and is not ready.
            for each in (pool, recovery_pool, reconciling_pool, readiness_pool):
                await each.open()
                stack.push_async_callback(each.close)
            await asyncio.gather(peers.keys.start(), readiness.step())
            stack.push_async_callback(peers.keys.stop)
            stack.push_async_callback(nonces.close)
            await log_broken_seals(pool, sealer)
            stack.push_async_callback(wallets.aclose)
            stack.push_async_callback(outbox.close, settings, money)
            stack.push_async_callback(played.close)
            await stack.enter_async_context(running(loops))
            stack.push_async_callback(reconciliation.close, nights)
            log.info("provider_started", casino_url=settings.casino_url, demo=settings.demo)
            yield listeners.state(early_answer(table, admission))
            log.info("provider_stopping")

    app = Starlette(middleware=middleware, lifespan=lifespan)
    app.state.table = table
    return app


def create_from_environment() -> Starlette:
    """Build the application from the environment; the server calls it in each serving process."""
    settings = Settings.from_environment()
    configure_logging(log_format=settings.log_format, level=settings.log_level, service="provider")
    return create_app(settings)
