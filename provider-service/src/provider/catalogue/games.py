"""The games of this studio, their limits, and the models of those that can be played.

A slot is a file `SLOTS_….json` with its PAR sheet `SLOTS_….par.json` beside it (`make rtp`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from provider.catalogue.files import SLOTS, data_file
from provider.games.slots.model import SlotGame, UnfitModel, read_game
from provider.games.slots.par import Sheet, model_hash, read_sheet

OTHERS: Final = ("CRASH_001", "CRASH_002")
"""Games that can be launched and simulated, and are not built yet."""
BET_MIN_MINOR: Final = 1_000
"""That of the demo data: docs/protocol.md, section 9."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot that can be played: its file, and its PAR sheet as it is served."""

    game: SlotGame
    sheet: Sheet
    sheet_document: bytes

    @property
    def par_hash(self) -> str:
        """The SHA-256 of the sheet's bytes."""
        return hashlib.sha256(self.sheet_document).hexdigest()


@dataclass(frozen=True, slots=True)
class Game:
    """One game, with the stakes that a launch names, in minor units. `slot` is None for a game that is no slot.

    A launch names the range of the demo data. What a slot takes stands in its file: the operator's range rules.
    """

    code: str
    bet_min_minor: int
    bet_max_minor: int
    slot: Slot | None = None


def read_slot(game_file: bytes, sheet_document: bytes) -> Slot:
    """A slot from the bytes of its two files. Raises `UnfitModel`, also when the sheet is not that of the model."""
    game, sheet = read_game(game_file), read_sheet(sheet_document)
    if sheet.model_hash != model_hash(game):
        raise UnfitModel(f"{game.game_id}: the PAR sheet is not that of the model: run `make rtp`")
    return Slot(game, sheet, sheet_document)


def _load() -> Mapping[str, Game]:
    games = {}
    for code in SLOTS:
        slot = read_slot(data_file(f"{code}.json"), data_file(f"{code}.par.json"))
        games[code] = Game(code, BET_MIN_MINOR, slot.game.max_bet, slot)
    for code in OTHERS:
        games[code] = Game(code, BET_MIN_MINOR, bet_max_minor=100_000)
    return MappingProxyType(games)


GAMES: Final[Mapping[str, Game]] = _load()
"""Read when the service starts: it does not start with a model whose sheet is another's."""
