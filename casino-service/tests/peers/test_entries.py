"""What is wrong with the games of an entry is said with the game that has it."""

from __future__ import annotations

from typing import Any

import pytest

from casino.peers.entries import read_details
from casino_testing.studios import game
from shared_signing.keys import KeyConfigurationError

WRONG: dict[str, tuple[list[Any], str]] = {
    "a range": ([game(), game("8", "CRASH_001", minBet=9_000_000)], "game 2 of the list, 8: minBet is above maxBet"),
    "no object": ([game(), "a game"], "game 2 of the list: a game is an object with"),
    "an id that is no id": ([game("a game\n")], "game 1 of the list: gameId must be"),
    "an unknown member": ([game(colour="red")], "game 1 of the list, 7: unknown members: colour"),
    "a game twice": ([game(), game(code="CRASH_001")], "gameId 7 comes twice"),
    "a code twice": ([game(), game("8")], "gameCode SLOTS_001 comes twice"),
}


@pytest.mark.parametrize(("games", "why"), WRONG.values(), ids=WRONG.keys())
def test_the_game_is_named(games: list[Any], why: str) -> None:
    with pytest.raises(KeyConfigurationError) as caught:
        read_details({"games": games})
    assert str(caught.value).startswith(why)
