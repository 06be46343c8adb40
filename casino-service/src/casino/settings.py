"""The service's configuration, read once from the environment. Its repr shows no secret; a weak one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from casino.peers.entries import MAIN, MEMBERS, Provider, ProviderDetails, read_details
from shared_service.keys.live_keys import Direction, KeyFile, LiveKeys
from shared_service.keys.peers import PeersFile, joined
from shared_service.keys.strength import NamedSecret, named_keys
from shared_service.run import log
from shared_service.settings.keys import read_directions, read_peers
from shared_service.settings.listeners import ListenerSettings, read_listeners
from shared_service.settings.reader import Reader, SettingsRefused
from shared_service.settings.values import Network, owner_advice
from shared_signing.keys import Key, KeyConfigurationError, parse_keys

LISTENERS: Final = ListenerSettings(port=8000, ops_port=8001)
DEMO_CASINO_SECRET: Final = "casino-secret"  # noqa: S105 - the published demo value, refused outside demo mode
DEMO_PROVIDER_SECRET: Final = "provider-secret"  # noqa: S105 - likewise
DEMO_ACCESS_TOKEN_SECRET: Final = "casino-access-token-secret"  # noqa: S105 - likewise
DEMO_PEPPER: Final = "casino-pepper-secret"
DIRECTIONS: Final = ("casino", "provider")
PROVIDERS_FILE: Final = "CASINO_PROVIDERS_FILE"
TOKENS: Final = "CASINO_ACCESS_TOKEN"
WORKERS_MAX: Final = 64
_PROVIDER_NAMES: Final = """
    CALL_SECONDS CASINOS_FILE CA_FILE CONNECTIONS_MAX CONNECTIONS_PER_ADDRESS CONNECT_SECONDS
    DATABASE_URL DATABASE_URL_FILE DEMO HOST LEASE_MARGIN_SECONDS OPS_HOST OPS_PORT OUTBOX_INTERVAL_SECONDS
    OWNER_DATABASE_URL OWNER_DATABASE_URL_FILE PEER_NETWORKS POOL_MAX PORT
    PRUNE_INTERVAL_SECONDS PUBLIC_URL RECONCILE_AT REQUESTS_MAX RETRY_FIRST_SECONDS ROUNDS_MAX SCRIPT_SECONDS
    SEALING_KEY SEALING_KEY_FILE SOCKET_SECONDS TLS_CERT_FILE TLS_KEY_FILE
"""
PROVIDER_VARIABLES: Final = frozenset({"CASINO_URL", *(f"PROVIDER_{name}" for name in _PROVIDER_NAMES.split())})
"""Variables that only provider-service reads. Both services may have the same environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The operator's settings, and time limits that follow from the protocol and have no variable."""

    database_url: str = field(repr=False)
    owner_database_url: str | None = field(default=None, repr=False)
    provider_url: str = "http://127.0.0.1:8100"
    listeners: ListenerSettings = LISTENERS
    ca_file: Path | None = None
    """Certificates of a private authority, for the provider's certificate."""
    workers: int = 1
    demo: bool = False
    casino_keys: tuple[Key, ...] = field(default=(), repr=False)
    provider_keys: tuple[Key, ...] = field(default=(), repr=False)
    casino_keys_file: KeyFile | None = None
    provider_keys_file: KeyFile | None = None
    providers_file: PeersFile[ProviderDetails] | None = None
    """The mounted file of further providers."""
    providers: tuple[Provider, ...] = field(default=(), repr=False)
    """Its entries at the start."""
    access_token_keys: tuple[Key, ...] = field(default=(), repr=False)
    """The keys of access tokens. The newest live one signs those that the platform gives out.

    Empty only without the operator's platform: there are then no launches by a player's client either.
    """
    pepper: bytes = field(default=b"", repr=False)
    """The key of what the platform stores as an HMAC: codes, PINs, API keys. Empty: there is no `/api/v1`."""
    oversight_database_url: str | None = field(default=None, repr=False)
    """The address with which owners see every tenant. None: owners cannot log in."""
    player_url: str = "http://127.0.0.1:8000/redeem"
    """The page that a voucher's QR code opens."""
    game_url: str = "http://127.0.0.1:8100/play"
    tenant_id: str = "JAQPOT"
    ledger_id: int = 1
    log_format: str = "json"
    log_level: str = "info"
    group_commit_max: int = 64
    """The most commands in one batch; 1 switches group commit off."""
    group_commit_lanes: int = 2
    """Batches in flight at once: one executes while the other's commit becomes durable."""
    queue_max: int = 4096
    """Commands that may wait. Above it a request is refused with 503."""
    wallet_queue_max: int = 256
    """Commands that may wait for one wallet. Above it a request is refused with 409."""
    requests_max: int = 288
    """Requests that may run at once. Above it a request is refused with 503; a new bet from three quarters of it on."""
    client_burst_calls: int = 10
    """Calls of launchGame and simulateRound that one player's client may make without a pause."""
    client_calls_per_second: int = 5
    """And this many per second after that, over all processes."""
    trusted_proxies: tuple[Network, ...] = ()
    """The proxies whose X-Forwarded-For is used; none by default."""
    pool_size_max: int = 8
    """Database connections for money. Launches, the feed, readiness and keys have eight others, the platform twelve."""
    request_budget_seconds: float = 5.0
    """No variable changes this and the next three: the provider's limits and group commit's depend on them."""
    statement_timeout_ms: int = 3000
    lock_timeout_ms: int = 2000
    pool_wait_seconds: float = 1.0
    notes: tuple[str, ...] = ()
    """Warnings about the environment, for the log. They contain no values."""

    def directions(self) -> tuple[Direction, Direction]:
        """The keys of both directions. A direction is named after the service that verifies its requests."""
        return (
            Direction("casino", self.casino_keys, self.casino_keys_file),
            Direction("provider", self.provider_keys, self.provider_keys_file),
        )

    def everybodys_keys(self) -> list[Direction]:
        """The keys of both directions, with those of all providers. The keys of one that is off have ended."""
        if not self.providers:
            return list(self.directions())
        return [Direction(each.name, joined(MAIN, each.keys, self.providers, each.name)) for each in self.directions()]

    def own_secrets(self) -> list[NamedSecret]:
        """The secrets that no peer knows, with the settings that hold them."""
        return own_secrets(self.access_token_keys, self.pepper)

    def live_keys(self) -> LiveKeys:
        """Returns the key rings for a process with these settings."""
        return LiveKeys(
            self.directions(),
            others=self.own_secrets(),
            strict=not self.demo,
            main=MAIN,
            peers_file=self.providers_file,
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read and check the environment. Raises SettingsRefused with everything that is wrong at once."""
        reader = Reader(environment)
        settings = read(reader)
        reader.check()
        return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSettings:
    """The settings of commands that use only the database. They contain no signing secret."""

    database_url: str | None = field(repr=False)
    owner_database_url: str | None = field(repr=False)
    demo: bool
    tenant_id: str
    ledger_id: int
    log_format: str
    log_level: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> CommandSettings:
        """Read and check the environment. Raises SettingsRefused with everything that is wrong at once."""
        reader = Reader(environment)
        settings = cls(
            database_url=reader.database("CASINO_DATABASE_URL"),
            owner_database_url=reader.database("CASINO_OWNER_DATABASE_URL"),
            demo=_demo(reader),
            tenant_id=_tenant_id(reader),
            ledger_id=_ledger_id(reader),
            log_format=reader.choice("LOG_FORMAT", log.FORMATS),
            log_level=reader.choice("LOG_LEVEL", log.LEVELS),
        )
        reader.check()
        return settings

    @property
    def owner_url(self) -> str:
        """The database URL of the schema's owner. Raises SettingsRefused when it is not set."""
        if self.owner_database_url is None:
            raise SettingsRefused(f"CASINO_OWNER_DATABASE_URL is missing: {owner_advice('casino')}")
        return self.owner_database_url


def read(reader: Reader) -> Settings:
    """Reads all settings. Does not raise for a wrong value: the caller calls `reader.check()`."""
    demo = _demo(reader)
    database_url = reader.required("CASINO_DATABASE_URL", reader.database("CASINO_DATABASE_URL"))
    token_keys, pepper = _platform_secrets(reader, demo=demo)
    others = own_secrets(token_keys, pepper)
    casino, provider = read_directions(
        reader,
        ("casino", DEMO_CASINO_SECRET),
        ("provider", DEMO_PROVIDER_SECRET),
        demo=demo,
        others=others,
    )
    provider_url = reader.service_url("PROVIDER_URL", "http://127.0.0.1:8100")
    path = reader.path(PROVIDERS_FILE)
    file = PeersFile(path, MAIN, provider_url, DIRECTIONS, MEMBERS, read_details, PROVIDERS_FILE) if path else None
    settings = Settings(
        database_url=database_url,
        owner_database_url=reader.database("CASINO_OWNER_DATABASE_URL"),
        provider_url=provider_url,
        listeners=read_listeners(reader, "CASINO", default=LISTENERS),
        ca_file=reader.authorities("CASINO_CA_FILE"),
        workers=reader.whole("CASINO_WORKERS", default=1, least=1, most=WORKERS_MAX),
        demo=demo,
        casino_keys=casino.keys,
        provider_keys=provider.keys,
        casino_keys_file=casino.file,
        provider_keys_file=provider.file,
        providers_file=file,
        providers=read_peers(
            reader,
            file,
            (casino, provider),
            strict=not demo,
            others=others,
        ),
        access_token_keys=token_keys,
        pepper=pepper,
        oversight_database_url=reader.database("CASINO_OVERSIGHT_DATABASE_URL"),
        player_url=reader.page_url("CASINO_PLAYER_URL", "http://127.0.0.1:8000/redeem"),
        game_url=reader.page_url("CASINO_GAME_URL", f"{provider_url}/play"),
        tenant_id=_tenant_id(reader),
        ledger_id=_ledger_id(reader),
        log_format=reader.choice("LOG_FORMAT", log.FORMATS),
        log_level=reader.choice("LOG_LEVEL", log.LEVELS),
        group_commit_max=reader.whole("CASINO_GROUP_COMMIT_MAX", default=64, least=1, most=1024),
        group_commit_lanes=reader.whole("CASINO_GROUP_COMMIT_LANES", default=2, least=1, most=16),
        pool_size_max=reader.whole("CASINO_POOL_MAX", default=8, least=2, most=200),
        queue_max=reader.whole("CASINO_QUEUE_MAX", default=4096, least=1, most=100_000),
        wallet_queue_max=reader.whole("CASINO_WALLET_QUEUE_MAX", default=256, least=1, most=10_000),
        requests_max=reader.whole("CASINO_REQUESTS_MAX", default=288, least=4, most=100_000),
        client_burst_calls=reader.whole("CASINO_CLIENT_BURST", default=10, least=1, most=1_000_000),
        client_calls_per_second=reader.whole("CASINO_CLIENT_PER_SECOND", default=5, least=1, most=100_000),
        trusted_proxies=reader.networks("CASINO_TRUSTED_PROXIES"),
    )
    reader.warn_of_unknown(("CASINO_", "PROVIDER_"), PROVIDER_VARIABLES)
    return replace(settings, notes=tuple(reader.notes))


def _demo(reader: Reader) -> bool:
    """Demo mode. PROVIDER_DEMO is the provider's, but the casino must not start open beside a provider that is not."""
    own, _ = reader.demo_flags("CASINO_DEMO", "PROVIDER_DEMO")
    return own or False


def own_secrets(token_keys: tuple[Key, ...], pepper: bytes) -> list[NamedSecret]:
    """Returns the secrets that no peer knows, each with the setting that holds it."""
    return [*named_keys(TOKENS, token_keys), *([("CASINO_PEPPER", pepper)] if pepper else [])]


def _platform_secrets(reader: Reader, *, demo: bool) -> tuple[tuple[Key, ...], bytes]:
    """Reads the keys of access tokens and the pepper. Outside demo mode both are there, or neither."""
    secret, more = reader.secret("CASINO_ACCESS_TOKEN_SECRET"), reader.secret_document("CASINO_ACCESS_TOKEN_KEYS")
    pepper = reader.secret("CASINO_PEPPER")
    if demo:
        pepper = pepper or DEMO_PEPPER
        secret = secret or (DEMO_ACCESS_TOKEN_SECRET if more is None else None)
    elif pepper is None and (secret or more) is not None:
        reader.required("CASINO_PEPPER", None)
    elif pepper is not None and secret is None and more is None:
        reader.required("CASINO_ACCESS_TOKEN_SECRET", None)
    try:
        keys = tuple(parse_keys(secret, more)) if (secret or more) is not None else ()
    except KeyConfigurationError as error:
        reader.refuse("CASINO_ACCESS_TOKEN_KEYS", f"is not usable: {error}")
        keys = ()
    return keys, (pepper or "").encode()


def _tenant_id(reader: Reader) -> str:
    return reader.identifier("CASINO_TENANT", "JAQPOT")


def _ledger_id(reader: Reader) -> int:
    return reader.whole("CASINO_LEDGER", default=1, least=1, most=32767)
