"""Reads and writes `provider.players` and `provider.game_sessions`. Tokens are sealed here."""

from dataclasses import dataclass, field, fields
from typing import Any, Final
from uuid import UUID

from shared_service.postgres.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class GameSession:
    """One row of `provider.game_sessions`."""

    provider_session_id: UUID
    casino_code: str
    casino_session_id: str
    player_id: int
    user_id: str
    game_code: str
    currency: str
    state: str
    max_win_minor: int | None
    lobby_url: str | None
    cashier_url: str | None
    language: str | None
    token_sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """A new session, ready to be stored."""

    provider_session_id: UUID
    casino_code: str
    casino_session_id: str
    user_id: str
    game_code: str
    currency: str
    token_sealed: bytes = field(repr=False)


COLUMNS: Final = tuple(each.name for each in fields(GameSession))
"""The columns of a session, in the order that `session_of` reads."""
_SELECTED: Final = ", ".join(COLUMNS)
_LAUNCH: Final = f"select {_SELECTED} from provider.launch_session(%s, %s, %s, %s, %s, %s, %s)"  # noqa: S608 - constant
_CODE: Final = "select provider.make_launch_code(%s, %s, %s, %s, %s, %s, %s)"
_BY_ID: Final = f"select {_SELECTED} from provider.game_sessions where provider_session_id = %s"  # noqa: S608 - constant


async def launch_session(pool: Database, new: NewSession) -> GameSession:
    """Store `new`, or return the session that was launched before for the same casino session."""
    values = (
        new.provider_session_id,
        new.casino_code,
        new.casino_session_id,
        new.user_id,
        new.game_code,
        new.currency,
        new.token_sealed,
    )
    return session_of((await pool.call(_LAUNCH, values))[0])


async def session_by_id(pool: Database, provider_session_id: UUID) -> GameSession | None:
    """The session with this id, or None."""
    rows = await pool.call(_BY_ID, (provider_session_id,))
    return session_of(rows[0]) if rows else None


async def keep_launch_code(
    pool: Database,
    provider_session_id: UUID,
    code_sha256: str,
    *,
    lives_seconds: float,
    page: tuple[int | None, str | None, str | None, str | None],
) -> None:
    """Store a launch code, and what the launch says about the page: win cap, lobby, cashier, language."""
    async with pool.connection() as connection:
        await connection.execute(_CODE, (provider_session_id, code_sha256, lives_seconds, *page))


async def stop_session(pool: Database, provider_session_id: UUID, code: str) -> None:
    """Stop a session: it takes no new bet."""
    async with pool.connection() as connection:
        await connection.execute("select provider.stop_session(%s, %s)", (provider_session_id, code))


def session_of(row: tuple[Any, ...]) -> GameSession:
    """The session in a row of `COLUMNS`."""
    return GameSession(**dict(zip(COLUMNS, row, strict=True)))
