"""Encrypts ("seals") session tokens, so that no table holds one in clear.

A running process keeps every secret it has learned: a token must open for as long as its round may need it.
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
from shared_service.keys.watch import KeyWatch
from shared_service.postgres.database import DATABASE_AWAY, Database
from shared_signing.keys import Key

log = structlog.get_logger(__name__)

KEY_BYTES: Final = 32
PURPOSE: Final = b"provider: session tokens, 1"
SECRETS_MAX: Final = 256
"""Most secrets that are remembered; the ones that were learned first and are configured no more go first."""
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
    """What was sealed cannot be opened: it was sealed with a secret that is configured no more, or altered."""


def sealing_order(keys: Sequence[Key], sealing_key: str | None, *, now: float) -> tuple[bytes, ...]:
    """The secrets from which seals are made; the last one seals: the sealing key, or else the oldest live key.

    Not the newest key: while it is rolled out, a process that does not have it yet could not open what another sealed.
    """
    newest_first = keys[::-1]
    ended = [key.secret for key in newest_first if not key.is_live(now)]
    live = [key.secret for key in newest_first if key.is_live(now)]
    return (*ended, *live, *([sealing_key.encode()] if sealing_key else []))


def sealer_for(settings: Settings) -> "Sealer":
    """A sealer that knows the casino's configured keys and the sealing key.

    The casino's keys alone are enough. With a sealing key, sessions survive a replacement of the casino's keys.
    """
    return Sealer(sealing_order(settings.casino_keys, settings.sealing_key, now=time.time()))


class Sealer:
    """Seals with the last secret that it learned and opens with every one."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._known: dict[bytes, Fernet] = {}
        self.learn(secrets)

    def learn(self, secrets: Sequence[bytes]) -> None:
        """Seal with the last of these from now on, and open with all of them as well as with what was known before."""
        for secret in secrets:
            known = self._known.pop(secret) if secret in self._known else _fernet(secret)
            self._known[secret] = known  # the last one now
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


def key_watch_for(settings: Settings, sealer: Sealer, *, clock: Callable[[], float] = time.time) -> KeyWatch:
    """Keeps the rings of both directions up to date, and what `sealer` seals with. Not started."""
    keys = settings.live_keys()

    def learn(now: float) -> None:
        sealer.learn(sealing_order(keys.ring("casino").keys, settings.sealing_key, now=now))

    return KeyWatch(keys, database_for(settings, size_max=1), schema=SCHEMA.name, clock=clock, on_change=learn)


def _fernet(secret: bytes) -> Fernet:
    # A key of its own for this purpose: the same bytes never both sign and encrypt.
    key = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=PURPOSE).derive(secret)
    return Fernet(base64.urlsafe_b64encode(key))


async def alarm_of_broken_seals(pool: Database, sealer: Sealer) -> None:
    """Log an error when a secret is gone that payouts or rollbacks still need; their rows stay due until it is back."""
    try:
        async with pool.connection() as connection:
            needed = await (await connection.execute(_NEEDED)).fetchall()
    except (*DATABASE_AWAY, psycopg.Error):
        return  # not there, or not migrated yet; each delivery says so too
    broken = sum(not _opens(sealer, sealed) for (sealed,) in needed)
    if broken:
        log.error("token_seals_broken", sessions=broken, looked_at=len(needed))


def _opens(sealer: Sealer, sealed: bytes) -> bool:
    try:
        sealer.open(sealed)
    except SealBroken:
        return False
    return True
