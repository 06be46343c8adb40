"""The wallets of all casinos: each has its own HTTP connections, its own bounds and its own health.

A wallet that is slow or away holds no connection that another wallet needs.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from provider.casinos.registry import Casino, Casinos
from provider.settings import Settings
from provider.wallet_client.client import WalletClient, http_client_for
from provider.wallet_client.health import HealthReport, WalletHealth
from provider.wallet_client.messages import WalletCall
from provider.wallet_client.outcomes import Called
from shared_service.http.transport import Client

PeerObserver = Callable[[str, WalletCall, Called], None]
"""Called after every call with the casino's code, the call and its result."""


@dataclass(frozen=True, slots=True)
class Wallet:
    """The client and the health of one casino's wallet."""

    url: str
    client: WalletClient
    health: WalletHealth


class Wallets:
    """One wallet for each casino, built when it is first asked for."""

    def __init__(
        self,
        settings: Settings,
        casinos: Casinos,
        *,
        clock: Callable[[], float] = time.time,
        observe: PeerObserver = lambda _code, _call, _called: None,
    ) -> None:
        self._settings = settings
        self._casinos = casinos
        self._clock = clock
        self._observe = observe
        self._wallets: dict[str, Wallet] = {}
        self._retired: set[asyncio.Task[None]] = set()

    def of(self, casino: Casino) -> WalletClient:
        """The client of this casino's wallet. A changed address gets a new one; calls under way keep the old one."""
        return self._wallet(casino).client

    def reports(self) -> dict[str, HealthReport]:
        """The health of each wallet that may be called."""
        return {casino.code: self._wallet(casino).health.report() for casino in self._casinos.called()}

    async def step(self) -> bool:
        """Probe each wallet whose probe is due, log changes, close wallets that are not called any more.

        For a background loop; always false.
        """
        called = self._casinos.called()
        for code in self._wallets.keys() - {casino.code for casino in called}:
            self._retire(self._wallets.pop(code))
        await asyncio.gather(*(self._wallet(casino).health.step() for casino in called))
        return False

    async def aclose(self) -> None:
        """Close all connections."""
        for task in self._retired:
            task.cancel()
        await asyncio.gather(*self._retired, return_exceptions=True)
        await asyncio.gather(*(wallet.client.aclose() for wallet in self._wallets.values()))

    def _wallet(self, casino: Casino) -> Wallet:
        known = self._wallets.get(casino.code)
        if known is not None and known.url == casino.url:
            return known
        if known is not None:
            self._retire(known)
        http = http_client_for(self._settings, casino.url)
        health = WalletHealth(http, casino_code=casino.code, clock=self._clock)
        self._wallets[casino.code] = wallet = Wallet(casino.url, self._client(casino, http, health), health)
        return wallet

    def _client(self, casino: Casino, http: Client, health: WalletHealth) -> WalletClient:
        return WalletClient(
            http,
            casino.key_ring,
            call_seconds=self._settings.call_seconds,
            clock=self._clock,
            observers=(partial(self._observe, casino.code), health.observe),
        )

    def _retire(self, wallet: Wallet) -> None:
        """Close a wallet's connections when no call can be under way there."""

        async def close_later() -> None:
            try:
                await asyncio.sleep(self._settings.call_seconds)
            finally:
                await wallet.client.aclose()

        task = asyncio.create_task(close_later())
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)
