"""The model of a slot: reels, lines and paytable as data, and the rules that they follow."""

from itertools import chain
from math import prod
from typing import Final

import msgspec

BOARDS_MAX: Final = 5_000_000
"""More boards are not enumerated, so their RTP would not be known exactly."""
X100_MAX: Final = 1_000_000
"""No round pays more than 10,000 times the stake."""
FREE_SPINS_MAX: Final = 50
"""Free spins of a round."""


class Pay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line whose first `count` symbols are `symbol` or wild pays `x100` hundredths of the whole stake."""

    symbol: str
    count: int
    x100: int


class FreeSpins(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A board with at least `count` scatters is followed by `spins` more spins, which cost nothing."""

    count: int
    spins: int


class SlotModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`reels`: the symbols of each reel in order. `rows`: how many of them show. `lines`: a row for each reel.

    `scatter`: counts wherever it shows, and awards free spins on the same reels. Free spins award no others.
    """

    reels: tuple[tuple[str, ...], ...]
    rows: int
    lines: tuple[tuple[int, ...], ...]
    wild: str
    pays: tuple[Pay, ...]
    scatter: str | None = None
    free_spins: tuple[FreeSpins, ...] = msgspec.field(name="freeSpins", default=())

    @property
    def boards(self) -> int:
        """How many boards there are; each is as probable as any other."""
        return prod(len(reel) for reel in self.reels)

    def spins_for(self, scatters: int) -> int:
        """The free spins of a round whose first board shows so many scatters."""
        return max((award.spins for award in self.free_spins if scatters >= award.count), default=0)


class SlotGame(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The file of a game: what it is called, its limits in minor units, and its model."""

    game_id: str
    name: str
    version: int
    min_bet: int
    max_bet: int
    max_win: int
    model: SlotModel


class UnfitModel(ValueError):  # noqa: N818 - a state, named as the others are
    """The data of a game break a rule."""


def read_game(content: bytes) -> SlotGame:
    """Read and check the file of a game. Raises `UnfitModel`."""
    try:
        game = msgspec.json.decode(content, type=SlotGame)
    except msgspec.DecodeError as error:
        raise UnfitModel(str(error)) from None
    for broken, rule in _rules(game):
        if broken:
            raise UnfitModel(f"{game.game_id}: {rule}")
    return game


def _rules(game: SlotGame) -> tuple[tuple[bool, str], ...]:
    model = game.model
    symbols = set(chain.from_iterable(model.reels))
    pays = {(pay.symbol, pay.count) for pay in model.pays}
    awards = {award.count for award in model.free_spins}
    return (
        (not 0 < game.min_bet <= game.max_bet <= game.max_win, "limits are positive and in order"),
        (game.version < 1, "versions begin with 1"),
        (not model.reels or model.rows < 1 or not model.lines or not model.pays, "reels, rows, lines and pays exist"),
        (any(len(reel) < model.rows for reel in model.reels), "a reel has a symbol for each row"),
        (model.boards > BOARDS_MAX, "there are at most 5 million boards"),
        (any(len(line) != len(model.reels) for line in model.lines), "a line has a row for each reel"),
        (any(not 0 <= row < model.rows for line in model.lines for row in line), "a line's rows are on the board"),
        (len(set(model.lines)) != len(model.lines), "no line comes twice"),
        (model.wild not in symbols, "the wild symbol is on a reel"),
        (any(pay.symbol not in symbols for pay in model.pays), "a pay's symbol is on a reel"),
        (any(not 0 < pay.count <= len(model.reels) for pay in model.pays), "a pay counts symbols of a line"),
        (any(pay.x100 < 1 for pay in model.pays), "a pay is positive"),
        (len(pays) != len(model.pays), "no pay comes twice"),
        (
            max((pay.x100 for pay in model.pays), default=0) * len(model.lines) > X100_MAX,
            "no board pays over 10,000 times the stake",
        ),
        ((model.scatter is None) != (not model.free_spins), "a scatter awards free spins, and nothing else does"),
        (model.scatter is not None and model.scatter not in symbols, "the scatter is on a reel"),
        (
            model.scatter == model.wild or any(pay.symbol == model.scatter for pay in model.pays),
            "a scatter fits no line",
        ),
        (len(awards) != len(model.free_spins) or any(count < 1 for count in awards), "an award counts scatters once"),
        (
            any(not 0 < award.spins <= FREE_SPINS_MAX for award in model.free_spins),
            "an award is 1 to 50 free spins",
        ),
    )
