"""The PAR sheet of a slot: its symbols, strips, pays and their shares of the RTP, as a JSON document.

`make rtp` writes it beside the game's file. It names the hash of what it was computed from.
"""

import hashlib
from fractions import Fraction
from itertools import pairwise
from typing import Final

import msgspec

from provider.games.slots.model import X100_MAX, SlotGame, UnfitModel
from provider.games.slots.rtp import Payback, decimals, payback_of, volatility_index

VOLATILITIES: Final = ((Fraction(6), "low"), (Fraction(12), "medium"))
"""Upper bounds of the volatility index; above them it is `high`."""
RANGES_X100: Final = (0, 1, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
"""Where the ranges of a round's outcome begin, in hundredths of the stake."""


class Sheet(msgspec.Struct, frozen=True, rename="camel"):
    """What a service reads of a sheet. `return_`: the RTP in lowest terms."""

    game_id: str
    model_hash: str
    return_: tuple[int, int] = msgspec.field(name="return")
    rtp: str
    volatility: str


def model_hash(game: SlotGame) -> str:
    """The SHA-256 of everything that a sheet depends on: limits, reels, lines and pays."""
    return hashlib.sha256(msgspec.json.encode(game)).hexdigest()


def sheet_of(game: SlotGame) -> bytes:
    """Compute the sheet of a game. The same game always gives the same bytes. Raises `UnfitModel`."""
    model, payback = game.model, payback_of(game.model)
    if payback.max_x100 > X100_MAX:
        raise UnfitModel(f"{game.game_id}: no round pays over 10,000 times the stake")
    rtp = payback.rtp(game, stake_minor=game.max_bet - game.max_bet % 100)
    index = volatility_index(payback.variance)
    content = {
        "gameId": game.game_id,
        "name": game.name,
        "version": game.version,
        "modelHash": model_hash(game),
        "boards": payback.boards,
        "return": _parts(rtp),
        "rtp": decimals(rtp),
        "rtpAtMinBet": decimals(payback.rtp(game, stake_minor=game.min_bet)),
        "hitRate": decimals(payback.hit_rate),
        "variance": decimals(payback.variance),
        "volatilityIndex": decimals(index),
        "volatility": next((name for bound, name in VOLATILITIES if index < bound), "high"),
        "limits": {"minBet": str(game.min_bet), "maxBet": str(game.max_bet), "maxWin": str(game.max_win)},
        "maximum": _maximum(payback),
        "symbols": [
            {"symbol": symbol, "onReels": [reel.count(symbol) for reel in model.reels]}
            for symbol in sorted({symbol for reel in model.reels for symbol in reel})
        ],
        "reels": model.reels,
        "lines": model.lines,
        "wild": model.wild,
        "pays": [
            {
                "symbol": pay.symbol,
                "count": pay.count,
                "x100": pay.x100,
                "probability": _parts(_of_line(payback, payback.lines_by_pay[pay.symbol, pay.count], len(model.lines))),
                "shareOfReturn": decimals(
                    Fraction(payback.lines_by_pay[pay.symbol, pay.count] * pay.x100, payback.boards * 100)
                    * (payback.mean / payback.board_mean)
                ),
            }
            for pay in model.pays
        ],
        "distribution": [{"x100": x100, "boards": boards} for x100, boards in sorted(payback.boards_by_x100.items())],
        **(_feature(game, payback) if model.free_spins else {}),
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"


def _maximum(payback: Payback) -> dict[str, object]:
    boards = {} if payback.free_spins_max else {"boards": payback.boards_by_x100[payback.max_x100]}
    return {"x100": payback.max_x100, **boards, "odds": decimals(1 / payback.max_probability)}


def _feature(game: SlotGame, payback: Payback) -> dict[str, object]:
    """What only a game with free spins has: their odds, and how probable each range of a round's outcome is.

    `distribution` counts single boards there, paid for or free.
    """
    ranges = payback.rounds_below(RANGES_X100[-1])
    of_all = [
        (least, below, Fraction(sum(n for x100, n in ranges.items() if least <= x100 < below), payback.rounds))
        for least, below in pairwise(RANGES_X100)
    ]
    above = 1 - sum((share for _, _, share in of_all), Fraction(0))
    return {
        "scatter": game.model.scatter,
        "freeSpins": [
            {"count": award.count, "spins": award.spins, "probability": _parts(_share_of(payback, award.spins))}
            for award in game.model.free_spins
        ],
        "feature": {
            "rate": decimals(payback.feature_rate),
            "odds": decimals(1 / payback.feature_rate),
            "shareOfReturn": decimals(payback.mean - payback.board_mean),
        },
        "rtpWithoutCap": decimals(payback.mean),
        "rounds": [
            *({"x100": least, "below": below, "probability": decimals(share, 9)} for least, below, share in of_all),
            {"x100": RANGES_X100[-1], "below": None, "probability": decimals(above, 9)},
        ],
    }


def _share_of(payback: Payback, spins: int) -> Fraction:
    """How probable a round with so many free spins is."""
    return Fraction(
        sum(boards for (_, awards), boards in payback.boards_by_key.items() if awards == spins), payback.boards
    )


def read_sheet(content: bytes) -> Sheet:
    """Read what a service needs of a sheet. Raises `msgspec.DecodeError`."""
    return msgspec.json.decode(content, type=Sheet)


def _parts(value: Fraction) -> tuple[int, int]:
    return value.numerator, value.denominator


def _of_line(payback: Payback, lines: int, lines_a_board: int) -> Fraction:
    """How probable it is that a line shows something that `lines` lines of all boards show."""
    return Fraction(lines, payback.boards * lines_a_board)
