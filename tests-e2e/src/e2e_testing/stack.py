"""A running stack under test: either processes and a database of the suite's own, or a compose stack at two URLs.

Uses commands, URLs, secrets and SQL, and imports no service.
"""

import os
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from e2e_testing.answers import Answer, Peer, judged
from e2e_testing.database import Database
from e2e_testing.game_session import GameSession
from e2e_testing.service_process import ServiceProcess, run_command_or_fail
from e2e_testing.signing_client import TIMEOUT_SECONDS, SigningClient
from local_stack.certificates import Authority
from local_stack.ports import free_port
from local_stack.testing import database_urls

TENANT = "JAQPOT"
CURRENCY = "USD"
CASINO_HEADER = "x-casino-signature"
PROVIDER_HEADER = "x-provider-signature"
DEMO_CASINO_SECRET = "casino-secret"
DEMO_PROVIDER_SECRET = "provider-secret"
SLOTS_GAME_ID = "1"
CRASH_GAME_ID = "2"
OPENING_BALANCE_MINOR = 1_000_000
RATE_LIMITED_TRIES_MAX = 5
NO_CLIENT_LIMIT = {"CASINO_CLIENT_BURST": "1000000"}
"""No limit on launches; tests of the limit set it again. A compose stack keeps its own limit."""

Environment = Mapping[str, str]


def demo_environment(database: Database, *, casino_url: str, provider_url: str) -> dict[str, str]:
    return {
        **database_urls("casino", database.url),
        **database_urls("provider", database.url),
        "CASINO_URL": casino_url,
        "PROVIDER_URL": provider_url,
        "CASINO_SECRET": DEMO_CASINO_SECRET,
        "PROVIDER_SECRET": DEMO_PROVIDER_SECRET,
        "CASINO_DEMO": "1",
    }


def migrate_and_seed(database: Database) -> None:
    environment = demo_environment(database, casino_url="http://127.0.0.1:1", provider_url="http://127.0.0.1:1")
    run_command_or_fail("casino", "migrate", environment)
    run_command_or_fail("casino", "seed-demo", environment)
    run_command_or_fail("provider", "migrate", environment)


@dataclass(slots=True)
class Stack:
    """A running casino and provider. `services` and `database` are empty for a compose stack."""

    casino: Peer
    provider: Peer
    database: Database | None = None
    services: dict[str, ServiceProcess] = field(default_factory=dict)
    resources: ExitStack = field(default_factory=ExitStack)
    demo_players_given: int = 0

    def __post_init__(self) -> None:
        self.client = httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False, verify=self.casino.verify)
        self.resources.callback(self.client.close)
        self.wallet = self.signing_client(self.casino)

    client: httpx.Client = field(init=False)
    wallet: SigningClient = field(init=False)

    def signing_client(self, peer: Peer, *, key_id: str = "main") -> SigningClient:
        client = SigningClient(peer, key_id=key_id)
        self.resources.callback(client.close)
        return client

    @property
    def casino_process(self) -> ServiceProcess:
        return self.services["casino"]

    @property
    def provider_process(self) -> ServiceProcess:
        return self.services["provider"]

    @property
    def books(self) -> Database:
        assert self.database is not None, "this stack's database is not ours to read"
        return self.database

    @property
    def commands_under_way(self) -> int:
        """Wallet commands that wait in the casino or are being executed, as it says itself."""
        shown = httpx.get(
            f"{self.casino_process.ops_url}/metrics", timeout=TIMEOUT_SECONDS, trust_env=False, verify=False
        ).text
        return int(float(shown.split('casino_queue_length{queue="money"} ')[1].split("\n", 1)[0]))

    def close(self) -> None:
        self.resources.close()
        for service in self.services.values():
            service.stop()
        if self.database:
            self.database.disconnect()

    # Players and sessions

    def open_player(self, balance_minor: int = OPENING_BALANCE_MINOR) -> str:
        """The id of a new player; on a compose stack, one of the two demo players in turn, who are rich."""
        if self.database is None:
            if balance_minor != OPENING_BALANCE_MINOR:
                pytest.skip("a compose stack has no player with such a balance")
            self.demo_players_given += 1
            return str(1 + self.demo_players_given % 2)
        player_id = f"player-{uuid4().hex[:12]}"
        self.database.rows(
            "select casino.open_player(%(tenant)s, %(player)s, %(name)s, %(currency)s, %(balance)s)",
            tenant=TENANT, player=player_id, name="Test player", currency=CURRENCY, balance=balance_minor,
        )  # fmt: skip
        return player_id

    def launch(self, user_id: str, *, game_id: str = SLOTS_GAME_ID, **more: object) -> Answer:
        return self.as_player("launchGame", {"userId": user_id, "gameId": game_id} | more)

    def simulate(self, user_id: str, *, game_id: str = SLOTS_GAME_ID) -> Answer:
        return self.as_player("simulateRound", {"userId": user_id, "gameId": game_id})

    def as_player(self, endpoint: str, content: Mapping[str, object], headers: Mapping[str, str] = {}) -> Answer:
        """A call of a client endpoint, without signatures. Repeats a rate-limited call after its `retry-after`."""
        for _ in range(RATE_LIMITED_TRIES_MAX):
            response = self.client.post(
                f"{self.casino.base_url}/casino/{endpoint}", json=dict(content), headers=headers
            )
            if response.status_code != 429 or self.database is not None:
                break
            time.sleep(int(response.headers["retry-after"]))
        return judged(response, signature="")

    def session(
        self, user_id: str | None = None, *, balance_minor: int = OPENING_BALANCE_MINOR, game_id: str = SLOTS_GAME_ID
    ) -> GameSession:
        player_id = user_id or self.open_player(balance_minor)
        launched = self.launch(player_id, game_id=game_id).must_be_ok()
        return GameSession(
            wallet=self.wallet,
            user_id=player_id,
            token=launched.content["sessionToken"],
            provider_session_id=launched.content["providerSessionId"],
            opening_balance_minor=int(launched.content["balance"]),
        )


StartStack = Callable[..., Stack]
"""Fixture `start_stack`: keyword arguments as those of `own_stack`."""


def compose_stack() -> Stack:
    """The stack at CASINO_URL and PROVIDER_URL, with the secrets it was given."""
    ca_file = os.environ.get("E2E_CA_FILE")
    verify = ssl.create_default_context(cafile=ca_file) if ca_file else True
    return Stack(
        casino=Peer(
            os.environ.get("CASINO_URL", "http://127.0.0.1:8000"),
            CASINO_HEADER,
            os.environ.get("CASINO_SECRET", DEMO_CASINO_SECRET),
            verify,
        ),
        provider=Peer(
            os.environ.get("PROVIDER_URL", "http://127.0.0.1:8100"),
            PROVIDER_HEADER,
            os.environ.get("PROVIDER_SECRET", DEMO_PROVIDER_SECRET),
            verify,
        ),
    )


def tls_settings(authority: Authority, service: str, directory: Path) -> dict[str, str]:
    """Of a service that serves TLS and believes this authority; its files are in a directory of its name."""
    cert, key = authority.issue(directory / service)
    ca = authority.write(directory / service / "ca.pem")
    return {f"{service}_TLS_CERT_FILE": str(cert), f"{service}_TLS_KEY_FILE": str(key), f"{service}_CA_FILE": str(ca)}


def own_stack(
    database: Database,
    log_dir: Path,
    *,
    casino_settings: Environment = {},  # noqa: B006 -- read only
    provider_settings: Environment = {},  # noqa: B006 -- read only
    casino_port: int | None = None,
    provider_port: int | None = None,
    authority: Authority | None = None,
) -> Stack:
    """Both services, started on free ports against a migrated database, ready to serve. An authority means TLS."""
    casino_port, provider_port = casino_port or free_port(), provider_port or free_port()
    scheme = "https" if authority else "http"
    casino_url, provider_url = f"{scheme}://127.0.0.1:{casino_port}", f"{scheme}://127.0.0.1:{provider_port}"
    if authority:
        casino_settings = {**tls_settings(authority, "CASINO", log_dir), **casino_settings}
        provider_settings = {**tls_settings(authority, "PROVIDER", log_dir), **provider_settings}
    verify = authority.client_context() if authority else False
    shared = demo_environment(database, casino_url=casino_url, provider_url=provider_url)
    casino = ServiceProcess(
        "casino", casino_port, {**shared, **NO_CLIENT_LIMIT, **casino_settings}, log_dir / "casino.log"
    )
    provider = ServiceProcess("provider", provider_port, {**shared, **provider_settings}, log_dir / "provider.log")
    stack = Stack(
        casino=Peer(casino_url, CASINO_HEADER, casino.environment["CASINO_SECRET"], verify),
        provider=Peer(provider_url, PROVIDER_HEADER, provider.environment["PROVIDER_SECRET"], verify),
        database=database,
        services={"casino": casino, "provider": provider},
    )
    try:
        for service in stack.services.values():
            service.start()
        for service in stack.services.values():
            service.wait_until_ready()
    except BaseException:
        stack.close()
        raise
    return stack
