"""The terms of a casino: where its pages may embed a game, its jurisdiction, and the limits that it wants of a game.

They stand in its entry of `PROVIDER_CASINOS_FILE`:

    "embed": ["https://casino.example"], "jurisdiction": "GB",
    "configurations": [{"gameId": "SLOTS_001", "currency": "EUR", "maxBet": 5000}]
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec

from provider.catalogue.games import GAMES, Slot
from provider.catalogue.jurisdictions import DEFAULT, JURISDICTIONS, Jurisdiction

ORIGIN: Final = re.compile(r"https?://[0-9a-z.-]{1,253}(:[1-9][0-9]{0,4})?")
MEMBERS: Final = frozenset({"embed", "jurisdiction", "configurations"})
CONFIGURATIONS_MAX: Final = 1_000
Minor = Annotated[int, msgspec.Meta(ge=1, le=10**15)]


class UnfitTerms(ValueError):  # noqa: N818 - a state, named as the others are
    """The terms of a casino break a rule."""


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What a casino wants of a game; without `currency`, in each one that has no entry of its own."""

    game_id: str
    currency: Annotated[str, msgspec.Meta(pattern=r"\A[A-Z0-9]{3,8}\Z")] | None = None
    min_bet: Minor | None = None
    max_bet: Minor | None = None
    max_win: Minor | None = None
    jurisdiction: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What rules a game for a casino in a currency. Amounts are minor units."""

    min_bet: int
    max_bet: int
    max_win: int
    jurisdiction: Jurisdiction


@dataclass(frozen=True, slots=True)
class CasinoTerms:
    """`embed`: origins. Limits stay within those of the game's file."""

    embed: tuple[str, ...] = ()
    jurisdiction: str = DEFAULT
    wanted: tuple[Wanted, ...] = ()

    def limits_of(self, slot: Slot, currency: str) -> Limits:
        """The limits of a slot in a currency."""
        found = {each.currency: each for each in self.wanted if each.game_id == slot.game.game_id}
        return _limits(slot, found.get(currency) or found.get(None) or Wanted(slot.game.game_id), self.jurisdiction)


STUDIO_TERMS: Final = CasinoTerms()
"""Those of a casino that wants nothing of its own."""


def read_terms(members: Mapping[str, Any]) -> CasinoTerms:
    """Read the members of an entry that are about games. Raises `UnfitTerms` with what is wrong."""
    origins = members.get("embed", [])
    if not isinstance(origins, list) or not all(isinstance(each, str) and ORIGIN.fullmatch(each) for each in origins):
        raise UnfitTerms("embed must be a list of origins such as https://casino.example")
    try:
        wanted = msgspec.convert(members.get("configurations", []), tuple[Wanted, ...])
        jurisdiction = msgspec.convert(members.get("jurisdiction", DEFAULT), str)
    except msgspec.ValidationError as error:
        raise UnfitTerms(f"jurisdiction and configurations: {error}") from None
    for broken, rule in _rules(wanted, jurisdiction):
        if broken:
            raise UnfitTerms(rule)
    return CasinoTerms(tuple(origins), jurisdiction, wanted)


def _rules(wanted: tuple[Wanted, ...], jurisdiction: str) -> Iterator[tuple[bool, str]]:
    """Yields what may be broken; each rule relies on those before it."""
    slots = {code: game.slot for code, game in GAMES.items() if game.slot is not None}
    packs = {jurisdiction, *(each.jurisdiction or jurisdiction for each in wanted)}
    named = {(each.game_id, each.currency) for each in wanted}
    yield not packs <= JURISDICTIONS.keys(), f"jurisdiction must be one of {', '.join(JURISDICTIONS)}"
    yield len(wanted) > CONFIGURATIONS_MAX, f"there are at most {CONFIGURATIONS_MAX} configurations"
    yield len(named) != len(wanted), "a game has one configuration for a currency"
    yield any(each.game_id not in slots for each in wanted), f"configurations are of {', '.join(slots)}"
    yield (
        not all(_fits(slots[each.game_id], each) for each in wanted),
        "minBet, maxBet and maxWin are in order and within those of the game",
    )


def _fits(slot: Slot, wanted: Wanted) -> bool:
    limits, game = _limits(slot, wanted, DEFAULT), slot.game
    in_order = limits.min_bet <= limits.max_bet <= limits.max_win
    return (
        in_order
        and game.min_bet <= limits.min_bet
        and limits.max_bet <= game.max_bet
        and limits.max_win <= game.max_win
    )


def _limits(slot: Slot, wanted: Wanted, jurisdiction: str) -> Limits:
    return Limits(
        wanted.min_bet or slot.game.min_bet,
        wanted.max_bet or slot.game.max_bet,
        wanted.max_win or slot.game.max_win,
        JURISDICTIONS[wanted.jurisdiction or jurisdiction],
    )
