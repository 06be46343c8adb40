"""The settings of the provider, read once from the environment.

Owns names, defaults and what is refused at start-up. It must never show a secret: none in a repr, none in an error.
"""

import datetime as dt
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from provider.sessions.sealing import sealing_order
from shared_signing.canonical import DEFAULT_KEY_ID
from shared_signing.keys import Key, KeyConfigurationError, parse_keys
from shared_signing.live_keys import KeyFile
from shared_signing.strength import SECRET_MIN_BYTES, share_a_secret, weakness

DEMO_CASINO_SECRET: Final = "casino-secret"  # noqa: S105 -- published: refused outside demo mode
DEMO_PROVIDER_SECRET: Final = "provider-secret"  # noqa: S105 -- published: refused outside demo mode
RECONCILE_AT: Final = dt.time(3, 30)
TIME_OF_DAY: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
OFF: Final = "off"
TRUE_WORDS: Final = frozenset({"1", "true", "yes", "on"})


class SettingsRefused(ValueError):  # noqa: N818 - a decision, not a defect
    """The environment cannot be served with. Its text names every setting that is wrong, one to a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that may differ between two deployments."""

    database_url: str = field(repr=False)
    casino_keys: tuple[Key, ...] = field(repr=False)
    provider_keys: tuple[Key, ...] = field(repr=False)
    sealing_secrets: tuple[bytes, ...] = field(repr=False)
    sealing_key: str | None = field(default=None, repr=False)
    casino_keys_file: KeyFile | None = None
    provider_keys_file: KeyFile | None = None
    casino_url: str
    host: str = "127.0.0.1"
    port: int = 8100
    demo: bool = False
    log_format: str = "json"
    log_level: str = "info"
    pool_max: int = 10
    call_seconds: float = 8.0
    connect_seconds: float = 2.0
    lease_margin_seconds: float = 2.0
    script_seconds: float = 60.0
    socket_seconds: int = 10
    requests_max: int = 500
    rounds_max: int = 96
    retry_first_seconds: float = 4.0
    outbox_interval_seconds: float = 1.0
    prune_interval_seconds: float = 15.0
    reconcile_at: dt.time | None = RECONCILE_AT

    @property
    def lease_seconds(self) -> float:
        """How long a call owns its row: the whole call, and a margin to write its outcome down."""
        return self.call_seconds + self.lease_margin_seconds

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read and check the environment. Raises `SettingsRefused` with everything that is wrong at once."""
        reader = _Reader(environment)
        demo = reader.flag("PROVIDER_DEMO") or reader.flag("CASINO_DEMO")
        casino_keys, casino_file = reader.keys("CASINO", DEMO_CASINO_SECRET if demo else None)
        provider_keys, provider_file = reader.keys("PROVIDER", DEMO_PROVIDER_SECRET if demo else None)
        sealing_key = reader.optional("PROVIDER_SEALING_KEY")
        if not demo:
            reader.refuse_weak("CASINO", casino_keys)
            reader.refuse_weak("PROVIDER", provider_keys)
            reader.refuse_shared(casino_keys, provider_keys)
            if sealing_key and weakness(sealing_key) is not None:
                reader.problems.append(f"PROVIDER_SEALING_KEY is well known or shorter than {SECRET_MIN_BYTES} bytes")
        settings = cls(
            database_url=reader.database("PROVIDER_DATABASE_URL"),
            casino_keys=casino_keys,
            provider_keys=provider_keys,
            # Of the casino's keys, so that a provider runs without a sealing key of its own; with one, rotating and
            # replacing the casino's keys leaves no session behind whose payout is still due.
            sealing_secrets=sealing_order(casino_keys, sealing_key, now=time.time()),
            sealing_key=sealing_key,
            casino_keys_file=casino_file,
            provider_keys_file=provider_file,
            casino_url=reader.url("CASINO_URL", "http://127.0.0.1:8000"),
            host=reader.optional("PROVIDER_HOST") or "127.0.0.1",
            port=int(reader.number("PROVIDER_PORT", 8100, least=0, most=65535)),
            demo=demo,
            log_format=reader.choice("LOG_FORMAT", ("json", "console")),
            log_level=reader.choice("LOG_LEVEL", ("info", "debug", "warning", "error")),
            pool_max=int(reader.number("PROVIDER_POOL_MAX", 10, least=2, most=200)),
            call_seconds=reader.number("PROVIDER_CALL_SECONDS", 8.0, least=0.2, most=8.0),
            connect_seconds=reader.number("PROVIDER_CONNECT_SECONDS", 2.0, least=0.1, most=2.0),
            lease_margin_seconds=reader.number("PROVIDER_LEASE_MARGIN_SECONDS", 2.0, least=0.2, most=60.0),
            script_seconds=reader.number("PROVIDER_SCRIPT_SECONDS", 60.0, least=1.0, most=300.0),
            socket_seconds=int(reader.number("PROVIDER_SOCKET_SECONDS", 10, least=1, most=300)),
            requests_max=int(reader.number("PROVIDER_REQUESTS_MAX", 500, least=2, most=10_000)),
            rounds_max=int(reader.number("PROVIDER_ROUNDS_MAX", 96, least=1, most=1_000)),
            retry_first_seconds=reader.number("PROVIDER_RETRY_FIRST_SECONDS", 4.0, least=0.05, most=4.0),
            outbox_interval_seconds=reader.number("PROVIDER_OUTBOX_INTERVAL_SECONDS", 1.0, least=0.05, most=60.0),
            prune_interval_seconds=reader.number("PROVIDER_PRUNE_INTERVAL_SECONDS", 15.0, least=0.05, most=3600.0),
            reconcile_at=reader.time_of_day("PROVIDER_RECONCILE_AT", RECONCILE_AT),
        )
        reader.check()
        return settings


def owner_database_url(environment: Mapping[str, str]) -> str:
    """The URL that migrations use: the owner's, or the service's own when there is one login for both."""
    reader = _Reader(environment)
    owners = "PROVIDER_OWNER_DATABASE_URL"
    url = reader.database(owners if reader.optional(owners) else "PROVIDER_DATABASE_URL")
    reader.check()
    return url


class _Reader:
    """Reads settings one by one and collects what is wrong, so that one start tells all of it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def check(self) -> None:
        if self.problems:
            raise SettingsRefused("\n".join(self.problems))

    def optional(self, name: str) -> str | None:
        return self._environment.get(name, "").strip() or None

    def required(self, name: str) -> str:
        value = self.optional(name)
        if value is None:
            self.problems.append(f"{name} is missing")
        return value or ""

    def database(self, name: str) -> str:
        """The address of a database. The driver would quote a bad one in its error, and it may hold a password."""
        value = self.required(name)
        try:
            conninfo_to_dict(value)
        except psycopg.ProgrammingError:
            self.problems.append(f"{name} is not the address of a Postgres database")
        return value

    def flag(self, name: str) -> bool:
        return (self.optional(name) or "").lower() in TRUE_WORDS

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        value = (self.optional(name) or allowed[0]).lower()
        if value not in allowed:
            self.problems.append(f"{name} is one of {', '.join(allowed)}")
        return value

    def number(self, name: str, default: float, *, least: float, most: float) -> float:
        try:
            value = float(self.optional(name) or default)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            self.problems.append(f"{name} is a number from {least:g} to {most:g}")
            return default
        return value

    def time_of_day(self, name: str, default: dt.time) -> dt.time | None:
        """A time in UTC as hh:mm; None for `off`."""
        text = self.optional(name)
        if text is None or text.lower() == OFF:
            return default if text is None else None
        if TIME_OF_DAY.fullmatch(text) is None:
            self.problems.append(f"{name} is a time in UTC as hh:mm, or {OFF}")
            return default
        return dt.time.fromisoformat(text)

    def url(self, name: str, default: str) -> str:
        value = (self.optional(name) or default).rstrip("/")
        if not value.startswith(("http://", "https://")) or "@" in value or "?" in value:
            self.problems.append(f"{name} is an http or https address without credentials or a query")
        return value

    def keys(self, side: str, demo_secret: str | None) -> tuple[tuple[Key, ...], KeyFile | None]:
        """The keys of one direction: `main` from <side>_SECRET, then those of <side>_KEYS or <side>_KEYS_FILE."""
        secret = self._environment.get(f"{side}_SECRET", "") or demo_secret
        more, path = self.optional(f"{side}_KEYS"), self.optional(f"{side}_KEYS_FILE")
        if more and path:
            self.problems.append(f"{side}_KEYS and {side}_KEYS_FILE are both set: choose one")
        if not secret:
            self.problems.append(f"{side}_SECRET is missing")
            return (), None
        file = KeyFile(Path(path), secret) if path else None
        try:
            return file.parse(file.read()) if file else tuple(parse_keys(secret, more)), file
        except KeyConfigurationError as error:
            self.problems.append(f"{side}_SECRET or {side}_KEYS{'_FILE' if file else ''}: {error}")
            return (), None

    def refuse_weak(self, side: str, keys: tuple[Key, ...]) -> None:
        for key in keys:
            if (why := weakness(key.secret)) is not None:
                name = f"{side}_SECRET" if key.key_id == DEFAULT_KEY_ID else f"{side}_KEYS, key {key.key_id},"
                self.problems.append(f"{name} {why}")

    def refuse_shared(self, casino_keys: tuple[Key, ...], provider_keys: tuple[Key, ...]) -> None:
        if share_a_secret(casino_keys, provider_keys):
            self.problems.append("CASINO_SECRET and PROVIDER_SECRET share a secret: each direction has its own")
