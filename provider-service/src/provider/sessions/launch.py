"""Launches game sessions, and finds a session that a later request names.

Tokens are stored sealed, and are in no log and no answer.
"""

import hmac
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from provider.casinos.registry import Casino, require_live
from provider.catalogue.games import GAMES
from provider.errors import Refused
from provider.sessions.queries import GameSession, NewSession, launch_session, session_by_id
from provider.sessions.sealing import SealBroken, Sealer
from provider.wire import currency_field
from shared_service.openapi.fields import Message, identifier_field
from shared_service.postgres.database import Database

log = structlog.get_logger(__name__)


LAUNCH: Final = Message(
    "Launch",
    (
        identifier_field("sessionToken", "token"),
        identifier_field("casinoSessionId", "casino_session_id"),
        identifier_field("userId", "user_id"),
        identifier_field("gameId", "game_code", description="The game's code"),
        currency_field("currency", "currency"),
        identifier_field("casinoCode", "casino_code"),
    ),
)
SESSION: Final = Message(
    "Session",
    (
        identifier_field("sessionToken", "token"),
        identifier_field("providerSessionId", "provider_session_id"),
        identifier_field("userId", "user_id"),
        identifier_field("gameId", "game_code", description="The game's code"),
        currency_field("currency", "currency"),
        identifier_field("casinoCode", "casino_code"),
    ),
)
"""The members that name a session in every body but a launch's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """The body of a launch."""

    casino_session_id: str
    user_id: str
    game_code: str
    currency: str
    casino_code: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session whose token the request knew: its row, and the token for calls to the wallet."""

    row: GameSession
    token: str = field(repr=False)


def read_launch(members: dict[str, Any], signer: Casino) -> LaunchRequest:
    """Read a launch that this casino signed. Raises as `_require_launchable` does, and `invalid_field`."""
    request = LaunchRequest(**LAUNCH.read(members))
    _require_launchable(request.casino_code, request.game_code, signer)
    return request


def _require_launchable(casino_code: str, game_code: str, signer: Casino) -> None:
    """Raises `not_found` for a casino that did not sign, `casino_draining`, and `game_not_found`."""
    _require_signer(casino_code, signer)
    require_live(signer)
    if game_code not in GAMES:
        raise Refused("game_not_found")


def _require_signer(casino_code: str, signer: Casino) -> None:
    """Raises `not_found` for a casino that did not sign."""
    if casino_code != signer.code:
        raise Refused("not_found", sentence="There is no such casino.")


async def launch(pool: Database, sealer: Sealer, request: LaunchRequest) -> GameSession:
    """The session of this launch. A repeated launch gets the same one; with other content, `idempotency_mismatch`."""
    stored = await launch_session(
        pool,
        NewSession(
            provider_session_id=uuid.uuid4(),
            casino_code=request.casino_code,
            casino_session_id=request.casino_session_id,
            user_id=request.user_id,
            game_code=request.game_code,
            currency=request.currency,
            token_sealed=sealer.seal(request.token),
        ),
    )
    for name, asked, kept in (
        ("userId", request.user_id, stored.user_id),
        ("gameId", request.game_code, stored.game_code),
        ("currency", request.currency, stored.currency),
    ):
        if asked != kept:
            raise Refused("idempotency_mismatch", field=name)
    if not _holds_token(sealer, stored, request.token):
        raise Refused("idempotency_mismatch", field="sessionToken")
    return stored


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSession:
    """The session that a body names."""

    token: str = field(repr=False)
    provider_session_id: str
    user_id: str
    game_code: str
    currency: str
    casino_code: str

    def id_of(self, signer: Casino) -> uuid.UUID | None:
        """The session's id, None for a text that is none. Raises `not_found` for a casino that did not sign."""
        _require_signer(self.casino_code, signer)
        try:
            return uuid.UUID(self.provider_session_id)
        except ValueError:
            return None


def read_session(members: dict[str, Any]) -> NamedSession:
    """Read the members that name a session. Raises `invalid_field`."""
    return NamedSession(**SESSION.read(members))


async def open_session(pool: Database, sealer: Sealer, *, signer: Casino, members: dict[str, Any]) -> OpenSession:
    """Find the open session of the signing casino that a body names. Raises `Refused` when a field does not match."""
    named = read_session(members)
    _require_launchable(named.casino_code, named.game_code, signer)
    found = await find_session(pool, sealer, signer=signer, named=named)
    require_open(found)
    return found


async def find_session(pool: Database, sealer: Sealer, *, signer: Casino, named: NamedSession) -> OpenSession:
    """Find a session of the signing casino, open or stopped. Raises `Refused` when a field does not match."""
    session_id = named.id_of(signer)
    return known_session(await session_by_id(pool, session_id) if session_id else None, sealer, signer, named=named)


def known_session(stored: GameSession | None, sealer: Sealer, signer: Casino, *, named: NamedSession) -> OpenSession:
    """The session that was found for a body. Raises `Refused` when there is none or a field does not match."""
    if stored is None or stored.casino_code != signer.code or not _holds_token(sealer, stored, named.token):
        raise Refused("session_not_found")
    if stored.user_id != named.user_id:
        raise Refused("session_player_mismatch")
    if stored.currency != named.currency:
        raise Refused("currency_mismatch")
    if stored.game_code != named.game_code:
        raise Refused("game_not_found")
    return OpenSession(stored, named.token)


def require_open(session: OpenSession) -> None:
    """Raises `session_expired` for a session that was stopped."""
    if session.row.state != "open":
        raise Refused("session_expired")


def _holds_token(sealer: Sealer, stored: GameSession, token: str) -> bool:
    try:
        return hmac.compare_digest(sealer.open(stored.token_sealed).encode(), token.encode())
    except SealBroken:
        log.error("token_seal_broken", provider_session_id=str(stored.provider_session_id))
        return False
