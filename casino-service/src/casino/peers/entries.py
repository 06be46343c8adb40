"""What an entry of the file of providers says besides address, status and keys: the casino's name there, and games."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared_service.keys.peers import Peer
from shared_service.settings.values import Unfit, checked_identifier
from shared_signing.keys import KeyConfigurationError, named_members

MAIN: Final = "main"
"""The provider of the environment."""
MEMBERS: Final = frozenset({"casinoCode", "games", "embed"})
AMOUNT_MAX_MINOR: Final = 9_007_199_254_740_991
"""The largest integer that every JSON implementation holds exactly (2^53 - 1)."""
NAME_MAX_CHARACTERS: Final = 128
GAMES_MAX: Final = 1_000
_SHOWN_ID: Final = re.compile(r"[0-9A-Za-z_.-]{1,32}")
_GAME_MEMBERS: Final = frozenset({"gameId", "gameCode", "name", "minBet", "maxBet", "maxWin", "twoParty"})


@dataclass(frozen=True, slots=True)
class ProviderDetails:
    """`casino_code` is this casino's name at the provider; None: CASINO_TENANT. `games` are JSON objects."""

    casino_code: str | None = None
    games: tuple[Mapping[str, Any], ...] = ()


Provider = Peer[ProviderDetails]


def read_details(members: Mapping[str, Any]) -> ProviderDetails:
    """Read the members of an entry. Raises `KeyConfigurationError`. `embed` is for the other side's pages."""
    code, games = members.get("casinoCode"), members.get("games", [])
    if not isinstance(games, list) or len(games) > GAMES_MAX:
        raise KeyConfigurationError(f"games must be a list of at most {GAMES_MAX} games")
    read = tuple(_numbered(number, game) for number, game in enumerate(games, 1))
    for name in ("gameId", "gameCode"):
        for value, count in Counter(game[name] for game in read).items():
            if count > 1:
                raise KeyConfigurationError(f"{name} {value} comes twice")
    return ProviderDetails(None if code is None else _identifier(code, "casinoCode"), read)


def _numbered(number: int, game: Any) -> Mapping[str, Any]:
    try:
        return _game(game)
    except KeyConfigurationError as error:
        game_id = str(game.get("gameId", "")) if isinstance(game, dict) else ""
        which = f"game {number} of the list" + (f", {game_id}" if _SHOWN_ID.fullmatch(game_id) else "")
        raise KeyConfigurationError(f"{which}: {error}") from None


def _game(game: Any) -> Mapping[str, Any]:
    if not isinstance(game, dict):
        raise KeyConfigurationError(f"a game is an object with {', '.join(sorted(_GAME_MEMBERS))}")
    if unknown := game.keys() - _GAME_MEMBERS:
        raise KeyConfigurationError(f"unknown members: {named_members(unknown)}")
    least, most = _amount(game, "minBet"), _amount(game, "maxBet")
    if least > most:
        raise KeyConfigurationError("minBet is above maxBet")
    name, two_party = game.get("name"), game.get("twoParty", False)
    if not isinstance(name, str) or not (name.strip() and name.isprintable() and len(name) <= NAME_MAX_CHARACTERS):
        raise KeyConfigurationError(f"name must be 1 to {NAME_MAX_CHARACTERS} printable characters")
    if not isinstance(two_party, bool):
        raise KeyConfigurationError("twoParty must be true or false")
    return {
        "gameId": _identifier(game.get("gameId"), "gameId"),
        "gameCode": _identifier(game.get("gameCode"), "gameCode"),
        "name": name,
        "minBet": least,
        "maxBet": most,
        "maxWin": None if game.get("maxWin") is None else _amount(game, "maxWin"),
        "twoParty": two_party,
    }


def _identifier(value: Any, name: str) -> str:
    try:
        return checked_identifier(str(value) if type(value) is int else value if isinstance(value, str) else "")
    except Unfit as unfit:
        raise KeyConfigurationError(f"{name} {unfit}") from None


def _amount(game: Mapping[str, Any], name: str) -> int:
    value = game.get(name)
    if type(value) is not int or not 1 <= value <= AMOUNT_MAX_MINOR:
        raise KeyConfigurationError(f"{name} must be a whole number of minor units from 1 to {AMOUNT_MAX_MINOR}")
    return value
