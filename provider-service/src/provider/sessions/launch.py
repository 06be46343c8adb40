"""Launches game sessions, and finds a session that a later request names.

Tokens are stored sealed, and are in no log and no answer.
"""

import hmac
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from provider.casinos.registry import Casino, require_live
from provider.catalogue.games import GAMES
from provider.errors import Refused
from provider.sessions.links import origin_of
from provider.sessions.queries import GameSession, NewSession, keep_launch_code, launch_session, session_by_id
from provider.sessions.sealing import SealBroken, Sealer
from provider.sessions.tickets import LAUNCH_CODE, Tickets, ticket_hash
from provider.wire import currency_field
from shared_service.openapi.fields import Field, Message, identifier_field
from shared_service.postgres.database import Database

log = structlog.get_logger(__name__)


URL_MAX: Final = 512
LANGUAGE_MAX: Final = 35
LAUNCH_CODE_SECONDS: Final = 60.0
MAX_WIN_MAX_MINOR: Final = 10**15
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[0-9A-Za-z]{1,8})*")
_URL: Final[Mapping[str, Any]] = {"type": ["string", "null"], "maxLength": URL_MAX}


def _optional_minor(members: dict[str, Any], name: str) -> int | None:
    value = members.get(name)
    if value is not None and (type(value) is not int or not 0 < value <= MAX_WIN_MAX_MINOR):
        raise Refused("invalid_field", field=name)
    return value


def _optional_url(members: dict[str, Any], name: str) -> str | None:
    value = members.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > URL_MAX or origin_of(value) is None):
        raise Refused("invalid_field", field=name)
    return value


def _optional_language(members: dict[str, Any], name: str) -> str | None:
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > LANGUAGE_MAX or _LANGUAGE.fullmatch(value) is None:
        raise Refused("invalid_field", field=name)
    return value


LAUNCH: Final = Message(
    "Launch",
    (
        identifier_field("sessionToken", "token"),
        identifier_field("casinoSessionId", "casino_session_id"),
        identifier_field("userId", "user_id"),
        identifier_field("gameId", "game_code", description="The game's code"),
        currency_field("currency", "currency"),
        identifier_field("casinoCode", "casino_code"),
        Field("maxWin", "max_win_minor", _optional_minor, {"type": ["integer", "null"], "minimum": 1}, False),
        Field("lobbyUrl", "lobby_url", _optional_url, _URL, False),
        Field("cashierUrl", "cashier_url", _optional_url, _URL, False),
        Field("language", "language", _optional_language, {"type": ["string", "null"], "maxLength": 35}, False),
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
    max_win_minor: int | None
    lobby_url: str | None
    cashier_url: str | None
    language: str | None
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session whose token the request knew: its row, and the token for calls to the wallet."""

    row: GameSession
    token: str = field(repr=False)


def read_launch(members: dict[str, Any], signer: Casino) -> LaunchRequest:
    """Read a launch that this casino signed. Raises as `_require_launchable` does, and `invalid_field`.

    A page leads only to the origins that may embed it.
    """
    request = LaunchRequest(**LAUNCH.read(members))
    _require_launchable(request.casino_code, request.game_code, signer)
    for name, url in (("lobbyUrl", request.lobby_url), ("cashierUrl", request.cashier_url)):
        if url is not None and origin_of(url) not in signer.terms.embed:
            raise Refused("invalid_field", field=name)
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


async def launch_code(pool: Database, tickets: Tickets, request: LaunchRequest, session: GameSession) -> str:
    """A new one-time code for the page of this session. The newest launch rules what the page is told."""
    code = tickets.make(LAUNCH_CODE)
    await keep_launch_code(
        pool, session.provider_session_id, ticket_hash(code), lives_seconds=LAUNCH_CODE_SECONDS,
        page=(request.max_win_minor, request.lobby_url, request.cashier_url, request.language),
    )  # fmt: skip
    return code


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
