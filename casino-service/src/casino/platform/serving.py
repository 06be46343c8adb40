"""Puts the operator's platform together: its pools, its frame, the routes and loops of its slices, and its pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from casino.api import serving as api
from casino.api.call import Pools
from casino.api.errors import API_ERRORS
from casino.api.frame import BASE, Frame
from casino.api.turnstile import Turnstile
from casino.pages import serving as page_serving
from casino.play import serving as play
from casino.players import serving as players
from casino.safety import serving as safety
from casino.sessions.providers import Providers
from casino.settings import Settings
from casino.sql.schema import database_for, oversight_for
from casino.staff import serving as staff
from casino.staff.passwords import Passwords
from casino.stops import serving as stops
from casino.tenants import serving as tenants
from casino.vouchers import serving as vouchers
from casino.webhooks import serving as webhooks
from casino.webhooks.deliveries import Dispatcher
from shared_service.http.admission import Admission
from shared_service.http.authentication import Guard
from shared_service.http.errors import ErrorTable
from shared_service.http.routing import Route
from shared_service.run.loops import BackgroundLoop

POOL_MAX: Final = 6
OVERSIGHT_POOL_MAX: Final = 2
GUARDING_POOL_MAX: Final = 2
ACCESSES: Final = (*api.ACCESSES, *page_serving.ACCESSES)
ERRORS_BELOW: Final[Mapping[str, ErrorTable]] = {f"{BASE}/": API_ERRORS}


@dataclass(frozen=True, slots=True)
class Platform:
    """The operator's platform of one process."""

    frame: Frame
    routes: list[Route]
    loops: list[BackgroundLoop]
    passwords: Passwords
    dispatcher: Dispatcher

    def pages(self, others: Sequence[Route]) -> page_serving.CasinoPages:
        """Its pages, which call the other routes."""
        return page_serving.pages_of(self.frame, others)

    def guards(self, admission: Admission, own: page_serving.CasinoPages) -> dict[str, Guard]:
        """The guards of its accesses, those of its pages too."""
        return {**api.guards(self.frame, admission), **own.guards(admission)}

    async def open(self, stack: AsyncExitStack) -> None:
        """Open its pools until the stack ends."""
        pools = self.frame.pools
        for pool in (pools.tenants, pools.oversight, pools.guarding, self.dispatcher.database):
            if pool is not None and self.frame.settings.pepper:
                await stack.enter_async_context(pool)
        stack.push_async_callback(webhooks.close, self.dispatcher)
        stack.push_async_callback(staff.close, self.passwords)


def platform_of(settings: Settings, providers: Providers, watcher: webhooks.Watcher) -> Platform:
    """Builds the platform. Without a pepper it has no routes: `/api/v1` is 404."""
    pools = Pools(
        tenants=database_for(settings, size_max=POOL_MAX),
        oversight=oversight_for(settings, size_max=OVERSIGHT_POOL_MAX),
        turnstile=Turnstile(settings.pool_wait_seconds),
        guarding=database_for(settings, size_max=GUARDING_POOL_MAX),
    )
    frame, passwords, dispatcher = Frame(settings, pools), Passwords(), webhooks.dispatcher_of(settings, watcher)
    if not settings.pepper:
        return Platform(frame, [], [], passwords, dispatcher)
    routes = [
        *staff.routes(frame, passwords),
        *tenants.routes(frame),
        *vouchers.routes(frame),
        *players.routes(frame),
        *play.routes(frame, providers),
        *safety.routes(frame),
        *stops.routes(frame),
        *webhooks.routes(frame),
    ]
    loops = [
        *api.loops(frame),
        *staff.loops(frame),
        *vouchers.loops(frame),
        *players.loops(frame),
        *play.loops(frame, providers),
        *webhooks.loops(dispatcher, watcher),
    ]
    return Platform(frame, routes, loops, passwords, dispatcher)
