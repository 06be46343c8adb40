"""The service's configuration, read once from the environment. It never shows a secret, nor starts with a bad one."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from shared_signing.keys import Key, KeyConfigurationError, parse_keys
from shared_signing.live_keys import KeyFile
from shared_signing.strength import share_a_secret, weakness

DEMO_CASINO_SECRET: Final = "casino-secret"  # noqa: S105 - the published demo value, refused outside demo mode
DEMO_PROVIDER_SECRET: Final = "provider-secret"  # noqa: S105 - likewise


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class SettingsError(ValueError):
    """The environment does not hold what the service needs; the message names the variable, never its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator can choose. Times in seconds."""

    database_url: str = field(repr=False)
    owner_database_url: str = field(repr=False)
    provider_url: str = "http://127.0.0.1:8100"
    host: str = "127.0.0.1"
    port: int = 8000
    demo: bool = False
    casino_keys: tuple[Key, ...] = field(default=(), repr=False)
    provider_keys: tuple[Key, ...] = field(default=(), repr=False)
    casino_keys_file: KeyFile | None = None
    provider_keys_file: KeyFile | None = None
    access_token_secret: str | None = field(default=None, repr=False)
    game_url: str = "http://127.0.0.1:8100/play"
    tenant_id: str = "JAQPOT"
    ledger_id: int = 1
    log_format: str = "json"
    log_level: str = "info"
    group_commit_max: int = 64
    """Most commands that are executed and committed together; 1 switches grouping off."""
    group_commit_lanes: int = 2
    """Batches in flight at once: one executes while the other's commit becomes durable."""
    queue_max: int = 4096
    """Commands that may wait; above it a request is refused with 503 before any work."""
    wallet_queue_max: int = 256
    """Commands that may wait for one wallet; above it a request is refused with 409."""
    request_budget_seconds: float = 5.0
    statement_timeout_ms: int = 3000
    lock_timeout_ms: int = 2000
    pool_wait_seconds: float = 1.0
    socket_seconds: int = 10
    """How long a connection may wait for its peer: for a head, for a body, for its answer to be taken."""
    requests_max: int = 288
    """Requests that may be under way; above it one is refused with 503 before it is read. New bets: three quarters."""
    client_burst_calls: int = 10
    """Calls of launchGame and simulateRound that one player's client may make at once."""
    client_calls_per_second: int = 5
    """And so many a second after that, over all processes."""
    trusted_proxies: tuple[Network, ...] = ()
    """Whose X-Forwarded-For is believed; nobody's by default."""
    pool_size_max: int = 8


def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings. Raises SettingsError, which says which variable is wrong."""
    env = os.environ if environment is None else environment
    demo = env.get("CASINO_DEMO", "0") == "1"
    database_url = env.get("CASINO_DATABASE_URL", "")
    if not database_url:
        raise SettingsError("CASINO_DATABASE_URL is missing: where is the wallet's Postgres?")
    owner_database_url = env.get("CASINO_OWNER_DATABASE_URL") or database_url
    check_address("CASINO_DATABASE_URL", database_url)
    check_address("CASINO_OWNER_DATABASE_URL", owner_database_url)
    casino_keys, casino_file = _keys(env, "CASINO", demo_secret=DEMO_CASINO_SECRET if demo else "")
    provider_keys, provider_file = _keys(env, "PROVIDER", demo_secret=DEMO_PROVIDER_SECRET if demo else "")
    if share_a_secret(casino_keys, provider_keys):
        raise SettingsError("CASINO_SECRET and PROVIDER_SECRET must differ: each direction has secrets of its own")
    token_secret = env.get("CASINO_ACCESS_TOKEN_SECRET") or None
    if token_secret is not None:
        _check_secret("CASINO_ACCESS_TOKEN_SECRET", token_secret, demo=demo)
    return Settings(
        database_url=database_url,
        owner_database_url=owner_database_url,
        provider_url=env.get("PROVIDER_URL", "http://127.0.0.1:8100").rstrip("/"),
        host=env.get("CASINO_HOST", "127.0.0.1"),
        port=_integer(env, "CASINO_PORT", default=8000, least=0, most=65535),
        demo=demo,
        casino_keys=casino_keys,
        provider_keys=provider_keys,
        casino_keys_file=casino_file,
        provider_keys_file=provider_file,
        access_token_secret=token_secret,
        game_url=env.get("CASINO_GAME_URL", "http://127.0.0.1:8100/play"),
        tenant_id=env.get("CASINO_TENANT", "JAQPOT"),
        ledger_id=_integer(env, "CASINO_LEDGER", default=1, least=1, most=32767),
        log_format=env.get("LOG_FORMAT", "json"),
        log_level=env.get("LOG_LEVEL", "info"),
        group_commit_max=_integer(env, "CASINO_GROUP_COMMIT_MAX", default=64, least=1, most=1024),
        group_commit_lanes=_integer(env, "CASINO_GROUP_COMMIT_LANES", default=2, least=1, most=16),
        queue_max=_integer(env, "CASINO_QUEUE_MAX", default=4096, least=1, most=100_000),
        wallet_queue_max=_integer(env, "CASINO_WALLET_QUEUE_MAX", default=256, least=1, most=10_000),
        socket_seconds=_integer(env, "CASINO_SOCKET_SECONDS", default=10, least=1, most=300),
        requests_max=_integer(env, "CASINO_REQUESTS_MAX", default=288, least=4, most=100_000),
        client_burst_calls=_integer(env, "CASINO_CLIENT_BURST", default=10, least=1, most=1_000_000),
        client_calls_per_second=_integer(env, "CASINO_CLIENT_PER_SECOND", default=5, least=1, most=100_000),
        trusted_proxies=_networks(env, "CASINO_TRUSTED_PROXIES"),
    )


def check_address(name: str, url: str) -> None:
    """Refuse what is no Postgres address. The driver would quote it in its error, and it may hold a password."""
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise SettingsError(f"{name} is not the address of a Postgres database") from None


def _integer(env: Mapping[str, str], name: str, *, default: int, least: int, most: int) -> int:
    text = env.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or not least <= int(text) <= most:
        raise SettingsError(f"{name} must be a whole number from {least} to {most}")
    return int(text)


def _networks(env: Mapping[str, str], name: str) -> tuple[Network, ...]:
    try:
        networks = tuple(ipaddress.ip_network(text) for text in env.get(name, "").replace(",", " ").split())
    except ValueError:
        raise SettingsError(f"{name} must be addresses or networks (10.0.0.0/8), separated by commas") from None
    if any(network.prefixlen == 0 for network in networks):
        raise SettingsError(f"{name} must not be everybody: then anybody could say to be anywhere")
    return networks


def _keys(env: Mapping[str, str], side: str, *, demo_secret: str) -> tuple[tuple[Key, ...], KeyFile | None]:
    """The keys of one direction: `main` from <side>_SECRET, then those of <side>_KEYS or <side>_KEYS_FILE."""
    secret = env.get(f"{side}_SECRET") or demo_secret
    more, path = env.get(f"{side}_KEYS") or None, env.get(f"{side}_KEYS_FILE") or None
    if not secret:
        raise SettingsError(f"{side}_SECRET is missing")
    if more and path:
        raise SettingsError(f"{side}_KEYS and {side}_KEYS_FILE are both set: choose one")
    _check_secret(f"{side}_SECRET", secret, demo=bool(demo_secret))
    name, file = (f"{side}_KEYS_FILE", KeyFile(Path(path), secret)) if path else (f"{side}_KEYS", None)
    try:
        keys = file.parse(file.read()) if file else tuple(parse_keys(secret, more))
    except KeyConfigurationError as error:
        raise SettingsError(f"{name} is not usable: {error}") from None
    for key in keys:
        _check_secret(f"{name} ({key.key_id})", key.secret.decode(), demo=bool(demo_secret))
    return keys, file


def _check_secret(name: str, secret: str, *, demo: bool) -> None:
    if not demo and (why := weakness(secret)) is not None:
        raise SettingsError(f"{name} {why}: choose a secret of your own")
