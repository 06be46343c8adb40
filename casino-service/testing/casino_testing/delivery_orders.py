"""Every order in which the messages about one bet can arrive, and what the model says of each.

The published truth table is made of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from casino.wallet.commands import Kind, WalletCommand
from casino_testing.model import Answer, GameSession, Model, PlayerWallet
from casino_testing.tenant import STAKE_MAX_MINOR, STAKE_MIN_MINOR

DEBIT, ROLLBACK, CREDIT, SECOND_ROLLBACK = "D", "R", "C", "S"
STAKE_MINOR: Final = 1_000
PAYOUT_MINOR: Final = 2_500
OPENING_MINOR: Final = 1_000_000
KIND_OF: Final[Mapping[str, Kind]] = {
    DEBIT: "debit",
    ROLLBACK: "rollback",
    CREDIT: "credit",
    SECOND_ROLLBACK: "rollback",
}
NO_TRACE: Final = "–"
CANCELLED: Final = "cancelled"
Order = tuple[str, ...]


def orders_of(copies: Mapping[str, int]) -> Iterator[Order]:
    """The distinct orders of a bag of messages."""
    if not any(copies.values()):
        yield ()
        return
    for letter, count in copies.items():
        if count:
            for rest in orders_of({**copies, letter: count - 1}):
                yield (letter, *rest)


def orders_with(letters: str, *, copies: tuple[int, ...], thrice: bool = False) -> list[Order]:
    """Every order with every choice of copies for every letter; `thrice`: and exactly one of them comes three times."""
    found: list[Order] = []
    for counts in itertools.product((*copies, 3) if thrice else copies, repeat=len(letters)):
        if not thrice or counts.count(3) == 1:
            found += orders_of(dict(zip(letters, counts, strict=True)))
    return found


@dataclass(frozen=True)
class Family:
    """A set of orders that are played together."""

    title: str
    orders: list[Order]


FAMILIES: Final = {
    "once_or_twice": Family("debit, rollback and credit, each once or twice", orders_with("DRC", copies=(1, 2))),
    "one_thrice": Family(
        "one of the three three times, the others once or twice", orders_with("DRC", copies=(1, 2), thrice=True)
    ),
    "second_rollback": Family(
        "the three once or twice, and one rollback more under a new id",
        [order for order in orders_with("DRCS", copies=(1, 2)) if order.count(SECOND_ROLLBACK) == 1],
    ),
}


@dataclass(frozen=True)
class Bet:
    """The ids of one bet's messages. `names_bet`: the credit says which bet it answers, and not only the round."""

    number: int
    token_hash: str
    player_id: str
    names_bet: bool

    def id_of(self, letter: str) -> str:
        """The transaction id of a message: the same on every copy."""
        return f"{letter}-{self.number}"

    def message(self, letter: str, delivery: int) -> WalletCommand:
        """One copy of a message, with a request id of its own."""
        related = {CREDIT: self.id_of(DEBIT) if self.names_bet else None, DEBIT: None}
        return WalletCommand(
            kind=KIND_OF[letter],
            provider_id="main",
            token_hash=self.token_hash,
            player_id=self.player_id,
            transaction_id=self.id_of(letter),
            round_id=f"round-{self.number}",
            request_id=f"delivery-{delivery}-of-{self.number}",
            signed_by="main",
            amount={DEBIT: STAKE_MINOR, CREDIT: PAYOUT_MINOR}.get(letter, 0),
            related_id=related.get(letter, self.id_of(DEBIT)),
        )


class ModelBet:
    """One bet at the model: a player of its own, with one session."""

    def __init__(self, bet: Bet) -> None:
        self.bet = bet
        self.opening_minor = OPENING_MINOR
        self.model = Model()
        self.wallet = self.model.wallets[bet.player_id] = PlayerWallet(OPENING_MINOR)
        self.model.sessions[bet.token_hash] = GameSession(
            bet.token_hash,
            bet.player_id,
            expires_at=30,
            stake_min_minor=STAKE_MIN_MINOR,
            stake_max_minor=STAKE_MAX_MINOR,
        )

    def execute(self, message: WalletCommand) -> Answer:
        """The answer to one delivery."""
        return self.model.execute(message)

    @property
    def moved_minor(self) -> int:
        """What the player has more than before the bet."""
        return self.wallet.balance_minor - self.opening_minor

    def state_of(self, letter: str) -> str:
        """The final state of a message."""
        transaction_id = ("main", self.bet.id_of(letter))
        entry = self.wallet.entries.get(transaction_id)
        if entry is None:
            return CANCELLED if transaction_id in self.wallet.tombstones else NO_TRACE
        if entry.rolled_back:
            return "rolled_back"
        return "settled" if letter == DEBIT and self.wallet.booked("credit") else "committed"


@dataclass(frozen=True)
class Line:
    """One line of the truth table."""

    order: Order
    answers: tuple[str, ...]
    moved_minor: int
    states: tuple[str, ...]


def described(answer: Answer) -> str:
    """An answer as the published table shows it: status, code, flags."""
    words = ["200"] if answer.code is None else ["400", answer.code]
    words += ["tombstone"] if answer.tombstone else []
    words += ["alreadyRolledBack"] if answer.already_rolled_back else []
    return " ".join([*words, "replay"] if answer.replay else words)


def line_of(order: Order, *, names_bet: bool) -> Line:
    """What the model says of one order."""
    played = ModelBet(Bet(1, "token", "player", names_bet))
    answers = tuple(described(played.execute(played.bet.message(letter, place))) for place, letter in enumerate(order))
    states = tuple(played.state_of(letter) for letter in KIND_OF if letter in order)
    return Line(order, answers, played.moved_minor, states)
