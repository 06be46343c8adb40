"""What a provider says is untrusted: what cannot be kept is no outcome, and no statement of a game."""

from __future__ import annotations

from typing import Any

import pytest

from casino.play.answers import outcome_of
from casino.play.catalogue import read_game

TOLD: dict[str, Any] = {"win": 1, "balance": "5", "roundId": "r", "events": []}


def test_an_outcome_is_kept_as_it_was_told() -> None:
    assert outcome_of({**TOLD, "events": [{"x": 1}]}) == {
        "round_id": "r", "win_minor": 1, "balance_minor": 5, "events": '[{"x":1}]',
    }  # fmt: skip


@pytest.mark.parametrize("events", [["\ud800"], {}, None, "x"], ids=ascii)
def test_events_that_cannot_be_kept_are_no_outcome(events: Any) -> None:
    assert outcome_of({**TOLD, "events": events}) is None


@pytest.mark.parametrize("rtp", ["1E-20000", "0E+999999999", "0." + "0" * 100 + "1", "NaN", "-1", "101", "x", 0.9])
def test_a_return_that_no_database_keeps_is_none(rtp: Any) -> None:
    game = read_game({"gameId": "g", "name": "G", "rtp": rtp}) or {}
    assert (game["gameCode"], game["expectedRtp"]) == ("g", None)


@pytest.mark.parametrize("rtp", ["0.95", "0.950000", "100", "0"])
def test_a_return_is_kept_as_it_was_stated(rtp: str) -> None:
    assert (read_game({"gameId": "g", "name": "G", "rtp": rtp}) or {})["expectedRtp"] == rtp
