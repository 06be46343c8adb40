"""Plays one spin of a slot: draws the stops, and lists what they pay.

Nothing but the model and the source of random numbers reaches the draw.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from provider.games.fairness.draws import Source
from provider.games.slots.model import SlotModel

Board = tuple[tuple[str, ...], ...]
"""`board[reel][row]`."""


@dataclass(frozen=True, slots=True)
class LineWin:
    """What a line pays. `line`: its place in the model's list, from 0."""

    line: int
    symbol: str
    count: int
    x100: int


@dataclass(frozen=True, slots=True)
class Spun:
    """The outcome of a spin, whatever was staked."""

    stops: tuple[int, ...]
    board: Board
    wins: tuple[LineWin, ...]

    @property
    def x100(self) -> int:
        """What the board pays, in hundredths of the stake."""
        return sum(win.x100 for win in self.wins)


def draw_stops(model: SlotModel, source: Source) -> tuple[int, ...]:
    """One number for each reel, from left to right."""
    return tuple(source.below(len(reel)) for reel in model.reels)


def evaluate(model: SlotModel, stops: Sequence[int]) -> Spun:
    """The board at these stops, and what its lines pay."""
    board = tuple(
        tuple(reel[(stop + row) % len(reel)] for row in range(model.rows))
        for reel, stop in zip(model.reels, stops, strict=True)
    )
    return Spun(tuple(stops), board, tuple(_line_wins(model, board)))


def win_minor(spun: Spun, *, stake_minor: int, max_win_minor: int) -> int:
    """The payout of a spin: rounded down once, and at most the cap."""
    return min(max_win_minor, stake_minor * spun.x100 // 100)


def events_of(spun: Spun, *, win_minor: int) -> list[dict[str, Any]]:
    """The outcome as the ordered list that is stored, shown and verified."""
    return [
        {"type": "spin", "stops": spun.stops, "board": spun.board},
        *(
            {"type": "win", "line": win.line, "symbol": win.symbol, "count": win.count, "x100": win.x100}
            for win in spun.wins
        ),
        {"type": "end", "win": win_minor},
    ]


def _line_wins(model: SlotModel, board: Board) -> Iterator[LineWin]:
    """Yield what each line pays: the largest pay that it satisfies, the first of equal ones."""
    for number, line in enumerate(model.lines):
        symbols = [board[reel][row] for reel, row in enumerate(line)]
        best = None
        for pay in model.pays:
            if (best is None or pay.x100 > best.x100) and all(
                symbol in (pay.symbol, model.wild) for symbol in symbols[: pay.count]
            ):
                best = pay
        if best is not None:
            yield LineWin(number, best.symbol, best.count, best.x100)
