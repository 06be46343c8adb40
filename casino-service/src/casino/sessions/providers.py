"""The providers of a process: who takes launches, and a client for each. One that is slow or away delays no other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from casino.errors import Refused
from casino.peers.entries import MAIN, Provider
from casino.peers.games import TAKE_GAMES, games_of
from casino.sessions.provider_client import ProviderClient
from casino.settings import Settings
from casino.sql.schema import SCHEMA
from shared_service.keys.live_keys import LiveKeys
from shared_service.keys.peers import Status
from shared_service.keys.watch import KeyWatch, ShowRefused
from shared_service.postgres.database import Database


@dataclass(slots=True)
class Providers:
    """The providers that are in force now. `keys` has their statuses and entries."""

    settings: Settings
    keys: LiveKeys
    transport: httpx.AsyncBaseTransport | None = None
    """Replaces the network."""
    _clients: dict[str, ProviderClient] = field(default_factory=dict)
    _replaced: list[ProviderClient] = field(default_factory=list)

    def with_room(self) -> list[str]:
        """The ids of the providers that take a launch now: live, with keys, and not full of calls."""
        return [each for each in self.live() if each not in self._clients or not self._clients[each].is_full]

    def live(self) -> list[str]:
        """The ids of the providers that are live and have a live key in each direction."""
        keyless = self.keys.keyless(time.time())
        everybody = {MAIN, *self.keys.peers}
        return [each for each in everybody if each not in keyless and self.keys.status_of(each) is Status.LIVE]

    def are_several(self) -> bool:
        """Whether there are others besides the one of the environment."""
        return len(self.keys.peers) > (MAIN in self.keys.peers)

    def is_draining(self, provider_id: str) -> bool:
        """Whether a provider gets no new bet."""
        return self.keys.status_of(provider_id) is not Status.LIVE

    def client_of(self, provider_id: str) -> ProviderClient:
        """The client of a provider, with connections, bounds and a circuit of its own.

        Raises Refused(provider_draining) for one that is off.
        """
        if self.keys.status_of(provider_id) is Status.OFF:
            raise Refused("provider_draining")
        url = self._url_of(provider_id)
        client = self._clients.get(provider_id)
        if client is None or client.url != url:
            if client is not None:
                self._replaced.append(client)  # its calls in flight go on
            ring = self.keys.ring("provider", provider_id)
            client = ProviderClient(url, ring, ca_file=self.settings.ca_file, transport=self.transport)
            self._clients[provider_id] = client
        return client

    def casino_code_of(self, provider_id: str) -> str:
        """This casino's name at a provider."""
        entry: Provider | None = self.keys.peers.get(provider_id)
        return (entry and entry.details.casino_code) or self.settings.tenant_id

    def game_url_of(self, provider_id: str) -> str:
        """The address of a provider's games for the player's browser."""
        return self.settings.game_url if provider_id == MAIN else f"{self._url_of(provider_id)}/play"

    async def close(self) -> None:
        """Close all connections."""
        for client in (*self._clients.values(), *self._replaced):
            await client.close()

    def _url_of(self, provider_id: str) -> str:
        entry: Provider | None = self.keys.peers.get(provider_id)
        return self.settings.provider_url if entry is None else entry.url


def key_watch_of(settings: Settings, database: Database, show_refused: ShowRefused) -> KeyWatch:
    """The keys of all providers. `database` is only for it. A changed file is used once its games are taken over."""

    async def take_games(providers: Sequence[Provider]) -> str | None:
        rows = await database.call(TAKE_GAMES, (settings.tenant_id, games_of(providers)))
        refusal: str | None = rows[0][0]
        return refusal

    keys, schema = settings.live_keys(), SCHEMA.name
    return KeyWatch(keys, database, schema=schema, look_at_peers=take_games, show_refused=show_refused)
