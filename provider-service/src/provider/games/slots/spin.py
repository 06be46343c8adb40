"""Plays one round of a slot: draws the stops, and lists what they pay.

Nothing but the model and the source of random numbers reaches the draw.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from provider.games.fairness.draws import Source
from provider.games.slots.model import Pay, SlotModel

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
    """The outcome of one spin, whatever was staked. `free_spins`: what its scatters award, if it is a round's first."""

    stops: tuple[int, ...]
    board: Board
    wins: tuple[LineWin, ...]
    free_spins: int = 0

    @property
    def x100(self) -> int:
        """What the board pays, in hundredths of the stake."""
        return sum(win.x100 for win in self.wins)


Played = tuple[Spun, ...]
"""The spins of a round: the one that was paid for, and its free spins."""


def draw_stops(model: SlotModel, source: Source) -> tuple[int, ...]:
    """One number for each reel, from left to right."""
    return tuple(source.below(len(reel)) for reel in model.reels)


def play_round(model: SlotModel, source: Source) -> Played:
    """Draw and evaluate a spin and its free spins, which take the next numbers of the same source."""
    first = evaluate(model, draw_stops(model, source))
    return first, *(evaluate(model, draw_stops(model, source)) for _ in range(first.free_spins))


def evaluate(model: SlotModel, stops: Sequence[int]) -> Spun:
    """The board at these stops, what its lines pay, and what its scatters award."""
    board = tuple(
        tuple(reel[(stop + row) % len(reel)] for row in range(model.rows))
        for reel, stop in zip(model.reels, stops, strict=True)
    )
    scatters = sum(symbols.count(model.scatter) for symbols in board) if model.scatter is not None else 0
    return Spun(tuple(stops), board, tuple(_line_wins(model, board)), model.spins_for(scatters))


def win_minor(played: Played, *, stake_minor: int, max_win_minor: int) -> int:
    """The payout of a round: rounded down once, and at most the cap."""
    return min(max_win_minor, stake_minor * sum(spun.x100 for spun in played) // 100)


def events_of(played: Played, *, win_minor: int) -> list[dict[str, Any]]:
    """The outcome as the ordered list that is stored, shown and verified."""
    events: list[dict[str, Any]] = []
    for number, spun in enumerate(played):
        events.append({"type": "spin", "stops": spun.stops, "board": spun.board})
        events += [
            {"type": "win", "line": win.line, "symbol": win.symbol, "count": win.count, "x100": win.x100}
            for win in spun.wins
        ]
        if number == 0 and spun.free_spins:
            events.append({"type": "free_spins", "count": spun.free_spins})
    return [*events, {"type": "end", "win": win_minor}]


def best_pay(model: SlotModel, symbols: Sequence[str]) -> Pay | None:
    """The largest pay that the symbols of a line satisfy, the first of equal ones."""
    best = None
    for pay in model.pays:
        fits = len(symbols) >= pay.count and all(each in (pay.symbol, model.wild) for each in symbols[: pay.count])
        if fits and (best is None or pay.x100 > best.x100):
            best = pay
    return best


def _line_wins(model: SlotModel, board: Board) -> Iterator[LineWin]:
    for number, line in enumerate(model.lines):
        pay = best_pay(model, [board[reel][row] for reel, row in enumerate(line)])
        if pay is not None:
            yield LineWin(number, pay.symbol, pay.count, pay.x100)
