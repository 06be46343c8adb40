"""What a casino may want of the studio's games, and the jurisdiction packs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provider.catalogue.games import GAMES
from provider.catalogue.jurisdictions import JURISDICTIONS, UnfitPack, read_pack
from provider.catalogue.terms import CasinoTerms, UnfitTerms, read_terms

SLOT = GAMES["SLOTS_001"].slot
assert SLOT is not None


def wanting(**members: Any) -> dict[str, Any]:
    return {"configurations": [{"gameId": "SLOTS_001"} | members]}


def test_without_terms_a_game_has_the_limits_of_its_file_in_the_default_jurisdiction() -> None:
    limits = read_terms({}).limits_of(SLOT, "USD")
    assert (limits.min_bet, limits.max_bet, limits.max_win) == (1, 100_000, 100_000_000)
    assert limits.jurisdiction.name == "default"
    assert read_terms({}) == CasinoTerms()


def test_limits_of_a_currency_go_before_those_of_all_and_a_game_before_its_casino() -> None:
    terms = read_terms(
        {
            "jurisdiction": "GB",
            "configurations": [
                {"gameId": "SLOTS_001", "maxBet": 500, "jurisdiction": "strict"},
                {"gameId": "SLOTS_001", "currency": "JPY", "minBet": 10, "maxWin": 200_000},
            ],
        }
    )
    every, yen = terms.limits_of(SLOT, "EUR"), terms.limits_of(SLOT, "JPY")
    assert (every.min_bet, every.max_bet, every.max_win, every.jurisdiction.name) == (1, 500, 100_000_000, "strict")
    assert (yen.min_bet, yen.max_bet, yen.max_win, yen.jurisdiction.name) == (10, 100_000, 200_000, "GB")


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"embed": "https://casino.example"}, "embed must be a list"),
        ({"embed": ["https://casino.example/page"]}, "embed must be a list"),
        ({"jurisdiction": "Atlantis"}, "jurisdiction must be one of GB, default, strict"),
        ({"jurisdiction": 5}, "Expected `str`"),
        (wanting(jurisdiction="Atlantis"), "jurisdiction must be one of"),
        (wanting(gameId="CRASH_001"), "configurations are of SLOTS_001, SLOTS_002"),
        (wanting(more=1), "unknown field `more`"),
        (wanting(minBet=1.5), "Expected `int"),
        (wanting(minBet=0), ">= 1"),
        (wanting(currency="usd"), "matching regex"),
        (wanting(minBet=501, maxBet=500), "in order and within"),
        (wanting(maxBet=500, maxWin=499), "in order and within"),
        (wanting(maxBet=100_001), "in order and within"),
        (wanting(maxWin=100_000_001), "in order and within"),
        (wanting(gameId="SLOTS_002", minBet=9), "in order and within"),
        ({"configurations": [{"gameId": "SLOTS_001"}] * 2}, "one configuration for a currency"),
        ({"configurations": {}}, "Expected `array`"),
    ],
)
def test_terms_that_break_a_rule_are_refused_with_the_rule(members: dict[str, Any], said: str) -> None:
    with pytest.raises(UnfitTerms) as refused:
        read_terms(members)
    assert said in str(refused.value)


def test_every_pack_is_a_valid_file_and_one_has_no_least_cycle() -> None:
    assert {"default", "GB", "strict"} <= JURISDICTIONS.keys()
    assert JURISDICTIONS["default"].least_cycle_ms.slot == 0
    assert (JURISDICTIONS["GB"].least_cycle_ms.slot, JURISDICTIONS["GB"].least_cycle_ms.crash) == (2500, 5000)
    assert not any(pack.celebrates_returns_up_to_stake for pack in JURISDICTIONS.values())
    assert [JURISDICTIONS[name].demo_play for name in ("default", "strict")] == [True, False]


PACK = {
    "name": "X", "leastCycleMs": {"slot": 0, "crash": 0}, "autoplay": True, "stopButton": True, "netPosition": True,
    "elapsedTime": True, "celebratesReturnsUpToStake": False, "demoPlay": True,
}  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "Y"},
        {"more": 1},
        {"autoplay": 1},
        {"leastCycleMs": {"slot": -1, "crash": 0}},
        {"leastCycleMs": {"slot": 0}},
    ],
)
def test_a_pack_that_breaks_a_rule_is_refused(changed: dict[str, Any]) -> None:
    assert read_pack("X", json.dumps(PACK).encode()).name == "X"
    with pytest.raises(UnfitPack, match="X"):
        read_pack("X", json.dumps(PACK | changed).encode())
