"""How the players of the demo data play: in waves of several players. Each tick is a batch of bets and one of wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from casino.ops.demo import CURRENCY
from casino.ops.demo_data.books import KEY, Books
from casino.ops.demo_data.desk import Desk
from casino.ops.demo_data.games import MAX_STAKE_MINOR, MIN_STAKE_MINOR, STUDIOS, Game
from casino.ops.demo_data.people import Person
from casino.wallet.commands import WalletCommand, token_hash

GAP_SECONDS: Final = (3.5, 9.0)
FAST_GAP_SECONDS: Final = (0.6, 1.1)
SPIN_SECONDS: Final = (0.3, 0.5)
SKIPS: Final = 0.15
"""How often somebody who plays lets a tick pass."""
BOUNDS_A_SESSION: Final = 0.05
"""How often somebody sets a limit of what the play session may lose."""
TAKEN_BACK: Final = 0.002
RAISE: Final = 8
"""The most that somebody who chases losses multiplies the first stake with."""
PAUSES_MAX: Final = 1
WAIT_SECONDS: Final = (95, 240)


@dataclass(slots=True)
class Visit:
    """A player at a game. `first_stake_minor`: of somebody who chases losses, `stake_minor` is the present one."""

    person: Person
    game: Game
    session_token: str
    play_session_id: UUID
    spins_left: int
    first_stake_minor: int
    stake_minor: int
    not_before: datetime
    pauses: int = 0
    refused: str | None = None


class Floor:
    """Where the players of one operator play."""

    def __init__(self, books: Books, desk: Desk) -> None:
        self._books = books
        self._desk = desk
        self.bets = 0
        """How many bets were booked."""

    def wave(self, people: Sequence[Person], *, fast: bool = False) -> None:
        """Let these people play at one time, until each has had enough."""
        books = self._books
        visits = []
        for person in people:
            books.wait(books.random.uniform(1, 5))
            with books.transaction():
                visit = self._enter(person)
            visits += [] if visit is None else [visit]
        while visits:
            books.wait(books.random.uniform(*(FAST_GAP_SECONDS if fast else GAP_SECONDS)))
            there = [each for each in visits if each.not_before <= books.now]
            self._tick([each for each in there if fast or books.random.random() >= SKIPS])
            for visit in [each for each in visits if each.spins_left <= 0 or not self._can_pay(each)]:
                visits.remove(visit)
                with books.transaction():
                    self._leave(visit)

    def _enter(self, person: Person) -> Visit | None:
        """Log somebody in, and open a game; returns None when the platform does not let them play."""
        books = self._books
        if not person.is_member:
            self._desk.sell_voucher(person)
        elif not self._log_in(person):
            return None
        person.visits += 1
        game, session_id, token = books.random.choice(person.games), books.new_id(), books.new_id()
        hashed = sha256(token.encode()).digest()
        (play_session_id,) = books.call("running_play_session", person.player_id)
        if books.random.random() < BOUNDS_A_SESSION:
            value = books.random.choice(person.habit.deposit_minor) // 4
            books.call("set_session_limit", person.player_id, play_session_id, value)
        code, *_ = books.call(
            "open_session", person.agent.tenant_id, person.player_id, game.code, session_id, hashed, "US",
            person.address, list(STUDIOS),
        )  # fmt: skip
        if code is not None:
            return None
        books.call("bind_provider_session", session_id, books.new_id(), None)
        stake = person.stake(books.random)
        spins = books.random.randint(*person.habit.spins)
        starts = books.now + timedelta(seconds=books.random.uniform(2, 60))
        return Visit(person, game, token, play_session_id, spins, stake, stake, starts)

    def _log_in(self, person: Person) -> bool:
        name = person.login_code
        macs = self._desk.login_of(person)
        code, *_ = self._books.call("login_player", name, *macs, self._books.new_id(), person.address)
        if code is not None:
            person.is_closed = True
        return code is None

    def _tick(self, visits: list[Visit]) -> None:
        """One bet of each visit in one batch, then what they pay in another."""
        books, numbers = self._books, self._books.random
        visits = [each for each in visits if self._can_pay(each)]
        if not visits:
            return
        bets = [self._bet(each) for each in visits]
        answers = books.execute(bets)
        credits_of = []
        for visit, bet, (outcome, code, balance) in zip(visits, bets, answers, strict=True):
            if outcome == "committed":
                visit.person.balance_minor = balance or 0
                credits_of.append((visit, bet))
            else:
                self._answer_refusal(visit, code)
        if not credits_of:
            return
        results = [self._result(visit, bet) for visit, bet in credits_of]
        answers = books.execute(results, after=numbers.uniform(*SPIN_SECONDS))
        for (visit, bet), result, (outcome, code, balance) in zip(credits_of, results, answers, strict=True):
            if outcome != "committed":
                raise RuntimeError(f"the demo's {result.kind} was {outcome}: {code}")
            visit.person.balance_minor = balance or 0
            visit.spins_left -= 1
            if result.kind == "credit":
                self.bets += 1
                self._choose_stake(visit, won=result.amount >= bet.amount)

    def _bet(self, visit: Visit) -> WalletCommand:
        ids = self._books.new_id(), self._books.new_id()
        return WalletCommand(
            kind="debit", provider_id=visit.game.studio, token_hash=token_hash(visit.session_token),
            player_id=visit.person.player_id, transaction_id=ids[0], round_id=ids[1], request_id=ids[0], signed_by=KEY,
            amount=visit.stake_minor, currency=CURRENCY,
        )  # fmt: skip

    def _result(self, visit: Visit, bet: WalletCommand) -> WalletCommand:
        """Returns the payout of a round, or now and then the rollback of its bet."""
        numbers, transaction_id = self._books.random, self._books.new_id()
        is_taken_back = numbers.random() < TAKEN_BACK
        won = 0 if is_taken_back else visit.game.draw(numbers, bet.amount)
        return WalletCommand(
            kind="rollback" if is_taken_back else "credit", provider_id=visit.game.studio, token_hash=bet.token_hash,
            player_id=bet.player_id, transaction_id=transaction_id, round_id=bet.round_id, request_id=transaction_id,
            signed_by=KEY, amount=won, currency=CURRENCY, related_id=bet.transaction_id,
            end_round=not is_taken_back, reason="the studio's machine failed" if is_taken_back else None,
        )  # fmt: skip

    def _choose_stake(self, visit: Visit, *, won: bool) -> None:
        """Somebody who chases losses raises the stake after a lost round, and is content after a won one."""
        if not visit.person.tilts:
            return
        most = min(visit.first_stake_minor * RAISE, MAX_STAKE_MINOR)
        if won:
            visit.stake_minor = visit.first_stake_minor
        elif self._books.random.random() < 0.35:
            visit.stake_minor = min(most, visit.stake_minor * 3 // 2 + 1)

    def _answer_refusal(self, visit: Visit, code: str | None) -> None:
        """What a player does when a bet is refused: reads, waits, or leaves."""
        books = self._books
        with books.transaction():
            self._ask_safety(visit)
            if code == "bonus_ack_required":
                books.call("acknowledge_bonus", visit.person.player_id)
        if code == "cooldown_active" and visit.pauses < PAUSES_MAX and books.random.random() < 0.6:
            visit.pauses += 1
            visit.not_before = books.now + timedelta(seconds=books.random.uniform(*WAIT_SECONDS))
        elif code != "bonus_ack_required":
            visit.refused = code
            visit.spins_left = 0

    def _ask_safety(self, visit: Visit) -> None:
        """Ask as a game's page does: an action that was taken is then shown."""
        self._books.call("ask_safety", visit.person.player_id, visit.play_session_id)

    def _can_pay(self, visit: Visit) -> bool:
        """Whether there is money for one more bet: a lower stake, or a deposit. Broke players leave."""
        person, numbers = visit.person, self._books.random
        if visit.refused is None and person.balance_minor < visit.stake_minor:
            visit.stake_minor = visit.first_stake_minor = person.stake(numbers)
            if person.balance_minor >= max(visit.stake_minor, MIN_STAKE_MINOR):
                return True
            if numbers.random() >= person.habit.pays_again or not self._deposit(person):
                visit.spins_left = 0
                return False
            visit.stake_minor = visit.first_stake_minor = person.stake(numbers)
        return visit.spins_left > 0

    def _deposit(self, person: Person) -> bool:
        with self._books.transaction():
            return self._desk.deposit(person)

    def _leave(self, visit: Visit) -> None:
        """Take winnings home, log out, or leave for ever."""
        self._ask_safety(visit)
        person, numbers = visit.person, self._books.random
        typical = max(person.habit.deposit_minor)
        if person.balance_minor > 2 * typical and numbers.random() < 0.5:
            self._desk.withdraw(person, person.balance_minor // 2)
        elif person.balance_minor > typical // 4 and numbers.random() < 0.05:
            self._desk.cash_out(person)
        elif numbers.random() < 0.01:
            self._desk.make_good(person)
        if not person.is_closed and numbers.random() < 0.6:
            (person.is_closed,) = self._books.call("logout_player", person.player_id)
