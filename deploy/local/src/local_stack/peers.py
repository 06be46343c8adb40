"""The files that let two casinos and two studios know each other: what each service's file of peers says.

Each casino knows its own studio, and each studio its own casino, from the environment (`main`, `JAQPOT`). The files
add the other pair's. Their secrets are published, so they are for the demo.
"""

from collections.abc import Mapping
from typing import Any

from local_stack.settings import CASINO, PROVIDER

STAKE_RANGE_MINOR = (1_000, 100_000)
WIN_MAX_MINOR = 100_000_000
GAMES = (("5", "SLOTS_002", "More slots"), ("6", "CRASH_002", "Another crash"))
"""Beside the four games of the demo, which are the first studio's."""

Urls = Mapping[tuple[str, int], str]
"""The URL of each service by its name and the number of its pair."""


def peers_of(service: str, pair: int, urls: Urls) -> list[dict[str, Any]]:
    """The content of the service's file: the one peer of the other pair."""
    other = 3 - pair
    if service == CASINO:
        return [
            {
                "id": f"studio-{other}",
                "url": urls[PROVIDER, other],
                "status": "live",
                "casinoCode": f"CASINO-{pair}",
                "keys": keys(casino=pair, studio=other),
                "games": [_game(*game) for game in GAMES],
            }
        ]
    return [
        {
            "id": f"CASINO-{other}",
            "url": urls[CASINO, other],
            "status": "live",
            "keys": keys(casino=other, studio=pair),
        }
    ]


def keys(*, casino: int, studio: int) -> dict[str, list[dict[str, str]]]:
    """The keys of this casino and this studio: those under `casino` sign calls to the casino."""
    name = f"casino-{casino}-studio-{studio}"
    return {
        CASINO: [{"id": name, "secret": f"demo-only-studio-{studio}-calls-casino-{casino}"}],
        PROVIDER: [{"id": name, "secret": f"demo-only-casino-{casino}-calls-studio-{studio}"}],
    }


def _game(game_id: str, code: str, name: str) -> dict[str, Any]:
    least, most = STAKE_RANGE_MINOR
    return {
        "gameId": game_id,
        "gameCode": code,
        "name": name,
        "minBet": least,
        "maxBet": most,
        "maxWin": WIN_MAX_MINOR,
        "twoParty": False,
    }
