"""The PAR sheet of a slot: its symbols, strips, pays and their shares of the RTP, as a JSON document.

`make rtp` writes it beside the game's file. It names the hash of what it was computed from.
"""

import hashlib
from fractions import Fraction
from typing import Final

import msgspec

from provider.games.slots.model import SlotGame
from provider.games.slots.rtp import Payback, decimals, payback_of, volatility_index

VOLATILITIES: Final = ((Fraction(6), "low"), (Fraction(12), "medium"))
"""Upper bounds of the volatility index; above them it is `high`."""


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
    """Compute the sheet of a game. The same game always gives the same bytes."""
    model, payback = game.model, payback_of(game.model)
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
        "maximum": {
            "x100": payback.max_x100,
            "boards": payback.boards_by_x100[payback.max_x100],
            "odds": decimals(Fraction(payback.boards, payback.boards_by_x100[payback.max_x100])),
        },
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
                ),
            }
            for pay in model.pays
        ],
        "distribution": [{"x100": x100, "boards": boards} for x100, boards in sorted(payback.boards_by_x100.items())],
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"


def read_sheet(content: bytes) -> Sheet:
    """Read what a service needs of a sheet. Raises `msgspec.DecodeError`."""
    return msgspec.json.decode(content, type=Sheet)


def _parts(value: Fraction) -> tuple[int, int]:
    return value.numerator, value.denominator


def _of_line(payback: Payback, lines: int, lines_a_board: int) -> Fraction:
    """How probable it is that a line shows something that `lines` lines of all boards show."""
    return Fraction(lines, payback.boards * lines_a_board)
