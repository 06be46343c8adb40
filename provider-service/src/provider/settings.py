"""Reads the provider's settings from the environment, once, and refuses unfit ones.

No repr and no error shows a secret; tests/test_settings.py checks it.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from provider.catalogue.terms import MEMBERS, CasinoTerms, UnfitTerms, read_terms
from shared_service.keys.live_keys import Direction, KeyFile, LiveKeys
from shared_service.keys.peers import PeersFile, joined
from shared_service.keys.strength import NamedSecret
from shared_service.run import log
from shared_service.settings.keys import read_directions, read_peers
from shared_service.settings.listeners import ListenerSettings, read_listeners
from shared_service.settings.reader import Reader, SettingsRefused
from shared_signing.keys import Key, KeyConfigurationError

__all__ = ["Settings", "SettingsRefused", "owner_database_url"]

LISTENERS: Final = ListenerSettings(port=8100, ops_port=8101)
DEMO_CASINO_SECRET: Final = "casino-secret"  # noqa: S105 -- published: refused outside demo mode
DEMO_PROVIDER_SECRET: Final = "provider-secret"  # noqa: S105 -- published: refused outside demo mode
DEMO_SEALING_KEY: Final = "provider-demo-sealing-key"
"""Published: seals server seeds in demo mode when there is no other key."""
CASINOS_FILE: Final = "PROVIDER_CASINOS_FILE"
RECONCILE_AT: Final = dt.time(3, 30)
_CASINO_NAMES: Final = """
    ACCESS_TOKEN_KEYS ACCESS_TOKEN_KEYS_FILE ACCESS_TOKEN_SECRET ACCESS_TOKEN_SECRET_FILE CA_FILE CLIENT_BURST
    CLIENT_PER_SECOND CONNECTIONS_MAX CONNECTIONS_PER_ADDRESS DATABASE_URL DATABASE_URL_FILE GAME_URL
    GROUP_COMMIT_LANES GROUP_COMMIT_MAX HOST LEDGER OPS_HOST OPS_PORT OVERSIGHT_DATABASE_URL
    OVERSIGHT_DATABASE_URL_FILE OWNER_DATABASE_URL OWNER_DATABASE_URL_FILE PEER_NETWORKS PEPPER PEPPER_FILE PLAYER_URL
    POOL_MAX PORT PROVIDERS_FILE QUEUE_MAX REQUESTS_MAX SOCKET_SECONDS TLS_CERT_FILE TLS_KEY_FILE
    TRUSTED_PROXIES WALLET_QUEUE_MAX WORKERS
"""
CASINO_VARIABLES: Final = frozenset({"PROVIDER_URL", *(f"CASINO_{name}" for name in _CASINO_NAMES.split())})
"""Variables that only casino-service reads. Both services may run with the same environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that may differ between two deployments. Durations are in seconds."""

    database_url: str = field(repr=False)
    casino_keys: tuple[Key, ...] = field(repr=False)
    provider_keys: tuple[Key, ...] = field(repr=False)
    sealing_key: str | None = field(default=None, repr=False)
    """Required outside demo mode."""
    owner_database_url: str | None = field(default=None, repr=False)
    casino_keys_file: KeyFile | None = None
    provider_keys_file: KeyFile | None = None
    casino_url: str
    casino_code: str = "JAQPOT"
    """The casino of the environment. Others are in `casinos_file`."""
    casinos_file: PeersFile[CasinoTerms] | None = None
    listeners: ListenerSettings = LISTENERS
    public_url: str = "http://127.0.0.1:8100"
    """Where a browser finds this service."""
    ca_file: Path | None = None
    """A PEM file: certificates of the private authority that issued the casino's certificate."""
    demo: bool = False
    log_format: str = "json"
    log_level: str = "info"
    pool_max: int = 10
    call_seconds: float = 8.0
    connect_seconds: float = 2.0
    lease_margin_seconds: float = 2.0
    script_seconds: float = 60.0
    requests_max: int = 500
    rounds_max: int = 96
    retry_first_seconds: float = 4.0
    outbox_interval_seconds: float = 1.0
    prune_interval_seconds: float = 15.0
    reconcile_at: dt.time | None = RECONCILE_AT
    notes: tuple[str, ...] = ()
    """Warnings about the environment that are logged at the start. They contain no values."""

    def directions(self) -> tuple[Direction, Direction]:
        """The keys of both directions. A direction has the name of the service that verifies its requests."""
        return (
            Direction("casino", self.casino_keys, self.casino_keys_file),
            Direction("provider", self.provider_keys, self.provider_keys_file),
        )

    def casino_codes(self) -> list[str]:
        """The codes of all configured casinos, also of those that are off. The environment's comes first.

        Raises `KeyConfigurationError` when the file has become unusable.
        """
        file = self.casinos_file
        others = [] if file is None else [peer.peer_id for peer in file.parse(file.read())]
        return list(dict.fromkeys([self.casino_code, *others]))

    def with_all_keys(self) -> "Settings":
        """The same with the keys of all casinos, for commands that show and revoke keys."""
        file = self.casinos_file
        if file is None:
            return self
        peers = file.parse(file.read())
        casino, provider = (joined(file.main, each.keys, peers, each.name) for each in self.directions())
        return replace(self, casino_keys=casino, provider_keys=provider)

    def everybodys_keys(self) -> list[Direction]:
        """The keys of both directions, for the commands about keys."""
        return list(self.directions())

    def live_keys(self) -> LiveKeys:
        """The key rings of a process that starts with these settings."""
        return LiveKeys(
            self.directions(),
            others=named_sealing_key(self.sealing_key),
            strict=not self.demo,
            main=self.casino_code,
            peers_file=self.casinos_file,
        )

    @property
    def seeds_key(self) -> bytes:
        """Seals server seeds. It is derived from no signing secret, because a casino knows those."""
        return (self.sealing_key or DEMO_SEALING_KEY).encode()

    @property
    def lease_seconds(self) -> float:
        """How long a process owns the row of a call: the call's deadline, and a margin to record its outcome."""
        return self.call_seconds + self.lease_margin_seconds

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read and check the environment. Raises `SettingsRefused`, which lists every fault."""
        reader = Reader(environment)
        settings = read(reader)
        reader.check()
        return settings


def read(reader: Reader) -> Settings:
    """The settings. The reader collects the faults; the caller calls `reader.check()`."""
    own, shared = reader.demo_flags("PROVIDER_DEMO", "CASINO_DEMO")
    demo = own or shared or False  # either variable switches it on
    sealing_key = reader.secret("PROVIDER_SEALING_KEY")
    if not demo:
        reader.required("PROVIDER_SEALING_KEY", sealing_key)
    casino, provider = read_directions(
        reader,
        ("casino", DEMO_CASINO_SECRET),
        ("provider", DEMO_PROVIDER_SECRET),
        demo=demo,
        others=named_sealing_key(sealing_key),
    )
    casino_url = reader.service_url("CASINO_URL", "http://127.0.0.1:8000")
    casino_code = reader.identifier("CASINO_TENANT", "JAQPOT")
    casinos_file = casinos_file_at(reader.path(CASINOS_FILE), casino_code, casino_url)
    others = named_sealing_key(sealing_key)
    read_peers(reader, casinos_file, (casino, provider), strict=not demo, others=others)
    listeners = read_listeners(reader, "PROVIDER", default=LISTENERS)
    settings = Settings(
        database_url=reader.required("PROVIDER_DATABASE_URL", reader.database("PROVIDER_DATABASE_URL")),
        owner_database_url=reader.database("PROVIDER_OWNER_DATABASE_URL"),
        casino_keys=casino.keys,
        provider_keys=provider.keys,
        sealing_key=sealing_key,
        casino_keys_file=casino.file,
        provider_keys_file=provider.file,
        casino_url=casino_url,
        casino_code=casino_code,
        casinos_file=casinos_file,
        listeners=listeners,
        public_url=reader.page_url("PROVIDER_PUBLIC_URL", _on_loopback(listeners)),
        ca_file=reader.authorities("PROVIDER_CA_FILE"),
        demo=demo,
        log_format=reader.choice("LOG_FORMAT", log.FORMATS),
        log_level=reader.choice("LOG_LEVEL", log.LEVELS),
        pool_max=reader.whole("PROVIDER_POOL_MAX", default=10, least=2, most=200),
        call_seconds=reader.seconds("PROVIDER_CALL_SECONDS", default=8.0, least=0.2, most=8.0),
        connect_seconds=reader.seconds("PROVIDER_CONNECT_SECONDS", default=2.0, least=0.1, most=2.0),
        lease_margin_seconds=reader.seconds("PROVIDER_LEASE_MARGIN_SECONDS", default=2.0, least=0.2, most=60.0),
        script_seconds=reader.seconds("PROVIDER_SCRIPT_SECONDS", default=60.0, least=1.0, most=300.0),
        requests_max=reader.whole("PROVIDER_REQUESTS_MAX", default=500, least=2, most=10_000),
        rounds_max=reader.whole("PROVIDER_ROUNDS_MAX", default=96, least=1, most=1_000),
        retry_first_seconds=reader.seconds("PROVIDER_RETRY_FIRST_SECONDS", default=4.0, least=0.05, most=4.0),
        outbox_interval_seconds=reader.seconds("PROVIDER_OUTBOX_INTERVAL_SECONDS", default=1.0, least=0.05, most=60.0),
        prune_interval_seconds=reader.seconds("PROVIDER_PRUNE_INTERVAL_SECONDS", default=15.0, least=0.05, most=3600.0),
        reconcile_at=reader.time_of_day("PROVIDER_RECONCILE_AT", RECONCILE_AT),
    )
    reader.warn_of_unknown(("CASINO_", "PROVIDER_"), CASINO_VARIABLES)
    return replace(settings, notes=tuple(reader.notes))


def _on_loopback(listeners: ListenerSettings) -> str:
    return f"http{'s' if listeners.tls_cert_file else ''}://127.0.0.1:{listeners.port}"


def casinos_file_at(path: Path | None, casino_code: str, casino_url: str) -> PeersFile[CasinoTerms] | None:
    """The file of casinos at this path, beside the environment's casino with this code and address."""
    if path is None:
        return None
    directions = ("casino", "provider")
    return PeersFile(path, casino_code, casino_url, directions, MEMBERS, _read_terms, CASINOS_FILE)


def _read_terms(members: Mapping[str, Any]) -> CasinoTerms:
    try:
        return read_terms(members)
    except UnfitTerms as unfit:
        raise KeyConfigurationError(str(unfit)) from None


def named_sealing_key(sealing_key: str | None) -> list[NamedSecret]:
    """The sealing key and its name, for the check that no other secret equals it."""
    return [("PROVIDER_SEALING_KEY", sealing_key.encode())] if sealing_key else []


def owner_database_url(environment: Mapping[str, str] | None = None) -> str:
    """The URL of the schema's owner, for migrations. Raises `SettingsRefused` when it is missing."""
    reader = Reader(environment)
    url = reader.owner_database("provider")
    reader.check()
    return url
