"""Reads the games of each provider: what they are called, and what they pay back in the long run."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec
import structlog
from psycopg.errors import DeadlockDetected, LockNotAvailable, QueryCanceled

from casino.api.errors import Refused
from casino.play import queries
from casino.sessions.provider_client import ProviderUnreachable
from casino.sessions.providers import Providers
from casino.settings import Settings
from shared_service.http import decoding
from shared_service.postgres.database import Database

log = structlog.get_logger()

NOT_NOW: Final = (LockNotAvailable, DeadlockDetected, QueryCanceled)
"""Another process notes these games, or holds them: the next reading notes them."""
READ_SECONDS: Final = 60.0
GAMES_MAX: Final = 1_000
NAME_MAX_CHARACTERS: Final = 128
AMOUNT_DIGITS_MAX: Final = 18
RTP_MAX: Final = Decimal(100)
RTP_EXPONENT_MAX: Final = 16
"""The database refuses a number with some thousand places, and with it all games of the provider."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The games of all providers that are live. A provider that does not answer keeps what is noted of it."""

    settings: Settings
    database: Database
    providers: Providers

    async def read(self) -> None:
        """Ask each provider, and note what is new."""
        for provider_id in sorted(self.providers.live()):
            try:
                listed = await self.providers.client_of(provider_id).games()
            except (ProviderUnreachable, Refused) as error:
                log.info("provider_games_not_read", peer=provider_id, why=str(error))
                continue
            games = [game for each in listed[:GAMES_MAX] if (game := read_game(each)) is not None]
            text = msgspec.json.encode(games).decode()
            try:
                ((changed,),) = await self.database.call(
                    queries.NOTE_PROVIDER_GAMES, (self.settings.ledger_id, provider_id, text)
                )
            except NOT_NOW as error:
                log.info("provider_games_not_noted", peer=provider_id, error_type=type(error).__name__)
                continue
            if changed:
                log.info("provider_games_noted", peer=provider_id, games=len(games), changed=changed)


def read_game(entry: Any) -> dict[str, Any] | None:
    """A game of the list, or None for an entry that is not one."""
    if not isinstance(entry, dict):
        return None
    try:
        code = decoding.identifier(entry, "gameId")
    except Refused:
        return None
    name = entry.get("name")
    if not (isinstance(name, str) and name.isprintable() and name.strip() and len(name) <= NAME_MAX_CHARACTERS):
        name = code
    return {
        "gameCode": code,
        "name": name,
        "expectedRtp": _rtp(entry.get("rtp")),
        "maxWinMinor": _max_win_minor(entry.get("maxWin")),
    }


def _max_win_minor(value: Any) -> int | None:
    """The most that a round may pay, or None where none is stated. Amounts of the catalogue are text."""
    if not (isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= AMOUNT_DIGITS_MAX):
        return None
    return int(value) or None


def _rtp(value: Any) -> str | None:
    """The return as decimal text, or None where none is stated."""
    if not isinstance(value, str):
        return None
    try:
        rtp = Decimal(value)
    except InvalidOperation:
        return None
    exponent = rtp.as_tuple().exponent
    is_kept = isinstance(exponent, int) and abs(exponent) <= RTP_EXPONENT_MAX and 0 <= rtp <= RTP_MAX
    return str(rtp) if is_kept else None
