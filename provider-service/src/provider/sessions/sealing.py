"""Encrypts ("seals") session tokens and server seeds, so that no table holds one in clear.

A running process keeps old secrets, because rounds may still need tokens that were sealed with them.
"""

import base64
import time
from collections.abc import Callable, Sequence
from typing import Final

import psycopg
import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from provider.settings import Settings
from provider.sql.schema import SCHEMA, database_for
from shared_service.keys.watch import KeyWatch, ShowRefused
from shared_service.postgres.database import DATABASE_DOWN, Database
from shared_signing.keys import Key

log = structlog.get_logger(__name__)

KEY_BYTES: Final = 32
TOKENS: Final = b"provider: session tokens, 1"
SEEDS: Final = b"provider: server seeds, 1"
SECRETS_MAX: Final = 256
"""How many secrets a process keeps; the oldest are dropped first."""
SESSIONS_MAX: Final = 1000
_NEEDED: Final = f"""
    select s.token_sealed from provider.game_sessions as s
    where exists (
        select from provider.wallet_transactions as t
        where t.provider_session_id = s.provider_session_id and t.state = 'pending'
    )
    limit {SESSIONS_MAX}
"""  # noqa: S608 -- a constant, no input


class SealBroken(Exception):  # noqa: N818 - a state, named as the others are
    """A sealed token cannot be opened: its secret is not configured any more, or the bytes were altered."""


def sealing_order(keys: Sequence[Key], sealing_key: str | None, *, now: float) -> tuple[bytes, ...]:
    """The secrets for a `Sealer`, in order. The last one seals: the sealing key, or else the oldest live key.

    Not the newest key: during its roll-out some processes do not have it and could not open those seals.
    """
    newest_first = keys[::-1]
    ended = [key.secret for key in newest_first if not key.is_live(now)]
    live = [key.secret for key in newest_first if key.is_live(now)]
    return (*ended, *live, *([sealing_key.encode()] if sealing_key else []))


def sealer_for(settings: Settings) -> "Sealer":
    """Build a sealer of tokens from the sealing key and the keys of the environment's casino.

    The sealing key is optional in demo mode. With one, sessions survive a replacement of the casino's keys.
    """
    return Sealer(sealing_order(settings.casino_keys, settings.sealing_key, now=time.time()))


def seed_sealer_for(settings: Settings) -> "Sealer":
    """Build the sealer of server seeds."""
    return Sealer([settings.seeds_key], purpose=SEEDS)


class Sealer:
    """Seals with the last secret that it learned, and opens with all of them."""

    def __init__(self, secrets: Sequence[bytes], *, purpose: bytes = TOKENS) -> None:
        self._purpose = purpose
        self._known: dict[bytes, Fernet] = {}
        self.learn(secrets)

    def learn(self, secrets: Sequence[bytes]) -> None:
        """Add secrets. From now on the last of them seals."""
        for secret in secrets:
            known = self._known.pop(secret) if secret in self._known else _fernet(secret, self._purpose)
            self._known[secret] = known  # moved to the end: the last one seals
        for forgotten in list(self._known)[: max(0, len(self._known) - SECRETS_MAX)]:
            del self._known[forgotten]
        self._fernet = MultiFernet(list(reversed(self._known.values())))

    def seal(self, token: str) -> bytes:
        """The token, encrypted and authenticated."""
        return self._fernet.encrypt(token.encode())

    def open(self, sealed: bytes) -> str:
        """The token. Raises `SealBroken`."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            raise SealBroken from None


def key_watch_for(
    settings: Settings,
    sealer: Sealer,
    *,
    clock: Callable[[], float] = time.time,
    show_refused: ShowRefused = lambda _: None,
) -> KeyWatch:
    """Build the watch that keeps the key rings and `sealer` up to date. The caller starts it."""
    keys = settings.live_keys()

    def learn(now: float) -> None:
        own = keys.ring("casino", settings.casino_code)
        sealer.learn(sealing_order(own.keys, settings.sealing_key, now=now))

    database = database_for(settings, size_max=1)
    return KeyWatch(keys, database, schema=SCHEMA.name, clock=clock, on_change=learn, show_refused=show_refused)


def _fernet(secret: bytes, purpose: bytes) -> Fernet:
    # Derive a key for this purpose: no key both signs and encrypts.
    key = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(secret)
    return Fernet(base64.urlsafe_b64encode(key))


async def log_broken_seals(pool: Database, sealer: Sealer) -> None:
    """Log an error when tokens of pending transactions cannot be opened; these stay due until the secret is back."""
    try:
        async with pool.connection() as connection:
            needed = await (await connection.execute(_NEEDED)).fetchall()
    except (*DATABASE_DOWN, psycopg.Error):
        return  # unavailable or not migrated; every delivery checks its own token again
    broken = sum(not _opens(sealer, sealed) for (sealed,) in needed)
    if broken:
        log.error("token_seals_broken", sessions=broken, looked_at=len(needed))


def _opens(sealer: Sealer, sealed: bytes) -> bool:
    try:
        sealer.open(sealed)
    except SealBroken:
        return False
    return True
