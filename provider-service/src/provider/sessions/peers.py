"""What a process needs to speak with casinos: who they are, their keys, their wallets, and the seals of their tokens.

A serving process and each command that calls a wallet build it the same way.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from provider.casinos.registry import Casino, Casinos
from provider.catalogue.terms import STUDIO_TERMS
from provider.sessions.sealing import Sealer, key_watch_for, sealer_for
from provider.settings import Settings
from provider.wallet_client.wallets import PeerObserver, Wallets
from shared_service.keys.peers import Status
from shared_service.keys.watch import KeyWatch, ShowRefused


@dataclass(frozen=True, slots=True)
class Peers:
    """The casinos of a process. The caller starts and stops the key watch, and closes the wallets."""

    casinos: Casinos
    wallets: Wallets
    sealer: Sealer
    keys: KeyWatch

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Peers]:
        """For a command: run the key watch, and close the wallets at the end."""
        async with self.keys.running():
            try:
                yield self
            finally:
                await self.wallets.aclose()


def peers_of(
    settings: Settings,
    *,
    clock: Callable[[], float] = time.time,
    observe: PeerObserver = lambda _code, _call, _called: None,
    show_refused: ShowRefused = lambda _: None,
) -> Peers:
    """Build it. `observe` is called after every call to a wallet, `show_refused` as KeyWatch says."""
    sealer = sealer_for(settings)
    watch = key_watch_for(settings, sealer, clock=clock, show_refused=show_refused)
    keys, own = watch.keys, settings.casino_code

    def find(code: str) -> Casino | None:
        entry = keys.peers.get(code)
        if entry is None and code != own:
            return None
        url = settings.casino_url if entry is None else entry.url
        ring, status = keys.ring("casino", code), keys.status_of(code)
        if status is Status.LIVE and not ring.awaiting and not any(key.is_live(clock()) for key in ring.keys):
            status = Status.DRAINING  # nothing can be signed for it
        return Casino(code, url, ring, status, STUDIO_TERMS if entry is None else entry.details)

    casinos = Casinos(find, lambda: dict.fromkeys([own, *keys.peers]))
    return Peers(casinos, Wallets(settings, casinos, clock=clock, observe=observe), sealer, watch)
