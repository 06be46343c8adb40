"""The configuration that rules a round of a casino: its limits, its jurisdiction, and the RTP with its cap."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from provider.catalogue.games import GAMES
from provider.catalogue.terms import STUDIO_TERMS, read_terms
from provider.games.slots.rtp import payback_of
from provider.offers import configurations as module
from provider.offers.configurations import configuration_of

SLOT = GAMES["SLOTS_002"].slot
assert SLOT is not None


def test_a_casinos_limits_and_jurisdiction_stand_in_its_configuration() -> None:
    terms = read_terms({"jurisdiction": "GB", "configurations": [{"gameId": "SLOTS_002", "maxBet": 5_000}]})
    made = json.loads(configuration_of(SLOT, "EUR", terms.limits_of(SLOT, "EUR")).document)
    assert (made["currency"], made["jurisdiction"], made["minBet"], made["maxBet"]) == ("EUR", "GB", "10", "5000")
    assert tuple(made["return"]) == SLOT.sheet.return_, "no win reaches the cap"


def test_a_lower_cap_lowers_the_return_that_is_stated() -> None:
    terms = read_terms({"configurations": [{"gameId": "SLOTS_002", "maxWin": 2_000_000}]})
    capped = configuration_of(SLOT, "EUR", terms.limits_of(SLOT, "EUR"))
    own = configuration_of(SLOT, "EUR", STUDIO_TERMS.limits_of(SLOT, "EUR"))
    assert capped.hash != own.hash
    assert own.return_ == SLOT.sheet.return_
    assert Fraction(*capped.return_) < Fraction(*own.return_)
    counts = payback_of(SLOT.game.model)
    paid = sum(min(x100 * 1000, 2_000_000) * rounds for x100, rounds in counts.rounds_below(2_000).items())
    paid += 2_000_000 * (counts.rounds - counts.rounds_below(2_000).total())
    assert Fraction(*capped.return_) == Fraction(paid, counts.rounds * 100_000)


def test_a_return_is_computed_once_for_all_currencies(monkeypatch: pytest.MonkeyPatch) -> None:
    terms = read_terms({"configurations": [{"gameId": "SLOTS_002", "maxWin": 3_000_000}]})
    first = configuration_of(SLOT, "EUR", terms.limits_of(SLOT, "EUR"))
    monkeypatch.setattr(module, "_payback", None)
    assert configuration_of(SLOT, "USD", terms.limits_of(SLOT, "USD")).return_ == first.return_
