"""Section 4 of the protocol in plain Python, written from the page and not from the SQL: what the wallet must answer.

Keeps no counters: everything is derived from the list of what was booked. Time is in minutes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from casino.wallet.commands import WalletCommand
from casino_testing.model_limits import Limits, Move

ScopedId = tuple[str, str]
"""A provider, and an id of it."""
Stop = tuple[str, str | None, str]
"""Scope, target and reason."""
LIFE_MINUTES: Final = 30
BONUS_TRIGGER_MINOR: Final = 100


@dataclass(frozen=True)
class Answer:
    """An answer, without its wording. Its detail is the field that differs, or the bound that a stake breaks."""

    code: str | None
    detail: str | None = None
    replay: bool = False
    balance_minor: int | None = None
    tombstone: bool = False
    already_rolled_back: bool = False
    request_id: str = ""


@dataclass
class GameSession:
    """A session and what was agreed when it was opened."""

    token_hash: str
    player_id: str
    expires_at: int
    stake_min_minor: int
    stake_max_minor: int
    closed: bool = False
    loss_limit_minor: int | None = None
    win_cap_minor: int | None = None
    provider_id: str = "main"
    game_code: str = "SLOTS_001"
    play_session: int = 0


@dataclass
class Entry:
    """One booked command, with the answer that it got."""

    command: WalletCommand
    session: GameSession
    currency: str
    moved_minor: int
    answer: Answer
    rolled_back: bool = False
    move: Move | None = None


@dataclass
class PlayerWallet:
    """A player's money and the gates in front of it."""

    balance_minor: int
    currency: str = "USD"
    entries: dict[ScopedId, Entry] = field(default_factory=dict)
    tombstones: set[ScopedId] = field(default_factory=set)
    house_entries: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    """By id: kind, amount and balance after it, of what no provider asked for."""
    excluded_until: int = 0
    cooldown_until: int = 0
    blocked: bool = False
    pending_bonus_minor: int = 0
    bonus_ack_required: bool = False
    limits: Limits = field(default_factory=Limits)

    def booked(self, kind: str, *, round_id: ScopedId | None = None, session: GameSession | None = None) -> list[Entry]:
        """What was accepted and not taken back."""
        return [
            entry
            for entry in self.entries.values()
            if entry.command.kind == kind
            and entry.answer.code is None
            and not entry.rolled_back
            and round_id in (None, round_of(entry.command))
            and session in (None, entry.session)
        ]

    def grant_bonus(self) -> None:
        """Pay the pending bonus, if little is left and no bet is open."""
        paid = {round_of(entry.command) for entry in self.booked("credit")}
        has_open_bets = any(round_of(entry.command) not in paid for entry in self.booked("debit"))
        if self.pending_bonus_minor and self.balance_minor <= BONUS_TRIGGER_MINOR and not has_open_bets:
            self.balance_minor += self.pending_bonus_minor
            self.pending_bonus_minor, self.bonus_ack_required = 0, True

    def session_of_round(self, round_id: ScopedId) -> GameSession | None:
        """Whose round it is: that of whoever placed a bet in it first."""
        for entry in self.entries.values():
            if entry.command.kind == "debit" and entry.answer.code is None and round_of(entry.command) == round_id:
                return entry.session
        return None


class Model:
    """Decides commands one after the other."""

    def __init__(self) -> None:
        self.now = 0
        self.sessions: dict[str, GameSession] = {}
        self.wallets: dict[str, PlayerWallet] = {}
        self.is_open = True
        """Whether the tenant takes bets."""
        self.stops: list[Stop] = []
        """Those that hold, the oldest first."""

    def execute(self, command: WalletCommand) -> Answer:
        """Decide one command, and book it if it is to be booked."""
        session = self.sessions.get(command.token_hash)
        if session is None or session.provider_id != command.provider_id:
            return Answer("session_not_found", request_id=command.request_id)
        if session.player_id != command.player_id:
            return Answer("session_player_mismatch", request_id=command.request_id)
        wallet = self.wallets[session.player_id]
        first = wallet.entries.get(id_of(command))
        if first is not None:
            differing = differing_field(first, command, session, wallet)
            if differing:
                return Answer("idempotency_mismatch", differing, request_id=command.request_id)
            return replace(first.answer, replay=True)
        code = self.refusal(command, session, wallet)
        if code is None:
            return self.book(command, session, wallet)
        details = {
            "stake_too_low": str(session.stake_min_minor),
            "stake_too_high": str(session.stake_max_minor),
            "idempotency_mismatch": "endpoint",  # a tombstone keeps the id for a bet
            "play_stopped": self.because(session),
        }
        answer = Answer(code, details.get(code), request_id=command.request_id)
        if code == "insufficient_balance" or code in GATES:  # the codes of 402 and 403
            wallet.entries[id_of(command)] = Entry(command, session, wallet.currency, 0, answer)
        if code == "session_time_limit":
            wallet.limits.count_time(self.now)
        return answer

    def move_house_money(
        self, kind: str, player_id: str, entry_id: str, amount: int
    ) -> tuple[str | None, bool, int | None]:
        """Book a deposit, withdrawal or adjustment: code, whether it is a repetition, balance after it."""
        wallet = self.wallets[player_id]
        if entry_id in wallet.house_entries:
            *content, balance = wallet.house_entries[entry_id]
            return (None, True, balance) if content == [kind, amount] else ("idempotency_mismatch", True, None)
        if kind in TAKING and amount > wallet.balance_minor:
            return ("insufficient_balance", False, None)
        self.book_house_entry(kind, wallet, entry_id, amount)
        return (None, False, wallet.balance_minor)

    def transfer(self, giver_id: str, taker_id: str, entry_id: str, amount: int) -> tuple[str | None, bool]:
        """Move money between two players: code, whether it is a repetition."""
        giver, taker = self.wallets[giver_id], self.wallets[taker_id]
        firsts = [giver.house_entries.get(entry_id), taker.house_entries.get(entry_id)]
        if firsts != [None, None]:
            same = [first[:2] if first else None for first in firsts] == [
                ("transfer_out", amount),
                ("transfer_in", amount),
            ]
            return (None if same else "idempotency_mismatch", True)
        if amount > giver.balance_minor:
            return ("insufficient_balance", False)
        self.book_house_entry("transfer_out", giver, entry_id, amount)
        self.book_house_entry("transfer_in", taker, entry_id, amount)
        return (None, False)

    def book_house_entry(self, kind: str, wallet: PlayerWallet, entry_id: str, amount: int) -> None:
        """Move the money and remember the content."""
        wallet.balance_minor += -amount if kind in TAKING else amount
        wallet.house_entries[entry_id] = (kind, amount, wallet.balance_minor)

    def because(self, session: GameSession) -> str | None:
        """Why play is stopped, or None."""
        named = {"all": None, "provider": session.provider_id, "game": session.game_code, "player": session.player_id}
        return next((f"because {reason}" for scope, target, reason in self.stops if named[scope] == target), None)

    def alive(self, session: GameSession) -> bool:
        """Whether a session may bet."""
        return not session.closed and session.expires_at > self.now

    def refusal(self, command: WalletCommand, session: GameSession, wallet: PlayerWallet) -> str | None:
        """The first refusal that applies, in the protocol's order."""
        if id_of(command) in wallet.tombstones:
            return "transaction_rolled_back" if command.kind == "debit" else "idempotency_mismatch"
        if command.kind == "debit" and not self.alive(session):
            return "session_expired"
        if command.currency not in (None, wallet.currency):
            return "currency_mismatch"
        owner = wallet.session_of_round(round_of(command))
        if owner is not None and owner is not session:
            return "round_mismatch"
        judge = {"debit": self.of_debit, "credit": of_credit, "rollback": of_rollback}[command.kind]
        return judge(command, session, wallet)

    def of_debit(self, command: WalletCommand, session: GameSession, wallet: PlayerWallet) -> str | None:
        """Rules 4 and 7, the gates and the stake."""
        staked_minor = -sum(entry.moved_minor for entry in wallet.booked("debit", session=session))
        won_minor = sum(entry.moved_minor for entry in wallet.booked("credit", session=session))
        loss_minor = staked_minor - won_minor + command.amount
        return first_of(
            round_has_payout=bool(wallet.booked("credit", round_id=round_of(command))),
            play_stopped=not self.is_open or self.because(session) is not None,
            provider_draining=command.draining,
            player_excluded=wallet.excluded_until > self.now,
            wallet_blocked=wallet.blocked,
            cooldown_active=wallet.cooldown_until > self.now,
            bonus_ack_required=wallet.bonus_ack_required,
            limit_exceeded=(session.loss_limit_minor is not None and loss_minor > session.loss_limit_minor)
            or wallet.limits.reaches_loss(command.amount, session.play_session, self.now),
            session_time_limit=wallet.limits.reaches_time(self.now),
            stake_too_low=command.amount < session.stake_min_minor,
            stake_too_high=command.amount > session.stake_max_minor,
            insufficient_balance=command.amount > wallet.balance_minor,
        )

    def book(self, command: WalletCommand, session: GameSession, wallet: PlayerWallet) -> Answer:
        """Move the money and remember the answer."""
        answer = Answer(None, request_id=command.request_id)
        moved_minor = {"debit": -command.amount, "credit": command.amount, "rollback": 0}[command.kind]
        if command.kind == "rollback":
            bet_id = bet_of(command)
            bet = wallet.entries.get(bet_id)
            if bet is None or bet.answer.code is not None:
                answer = replace(answer, tombstone=True, already_rolled_back=bet_id in wallet.tombstones)
                wallet.tombstones.add(bet_id)
            elif bet.rolled_back:
                answer = replace(answer, already_rolled_back=True)
            else:
                bet.rolled_back = True
                if bet.move is not None:
                    bet.move.is_returned = True
                moved_minor = bet.command.amount
        wallet.balance_minor += moved_minor
        entry = Entry(command, session, wallet.currency, moved_minor, answer)
        wallet.entries[id_of(command)] = entry
        if command.kind != "rollback":
            move = Move(self.now, session.play_session, -moved_minor)
            entry.move = wallet.limits.book(move, is_bet=command.kind == "debit")
        if ends_its_round(command, moved_minor, wallet):
            wallet.grant_bonus()
        entry.answer = answer = replace(answer, balance_minor=wallet.balance_minor)
        if self.alive(session):
            session.expires_at = self.now + LIFE_MINUTES
        return answer


TAKING: Final = frozenset({"withdrawal", "adjustment_out", "transfer_out"})
GATES: Final = frozenset(
    {
        *(
            "play_stopped",
            "provider_draining",
            "player_excluded",
            "wallet_blocked",
            "limit_exceeded",
            "session_time_limit",
            "cooldown_active",
        ),
        "bonus_ack_required",
    }
)


def id_of(command: WalletCommand) -> ScopedId:
    """The command's transaction, of its provider."""
    return command.provider_id, command.transaction_id


def round_of(command: WalletCommand) -> ScopedId:
    """The command's round, of its provider."""
    return command.provider_id, command.round_id


def bet_of(command: WalletCommand) -> ScopedId:
    """The bet that the command names, of its provider."""
    assert command.related_id is not None
    return command.provider_id, command.related_id


def ends_its_round(command: WalletCommand, moved_minor: int, wallet: PlayerWallet) -> bool:
    """Whether a booked command ends its round: its first credit, or the rollback of its last bet."""
    if command.kind == "credit":
        return len(wallet.booked("credit", round_id=round_of(command))) == 1
    return command.kind == "rollback" and moved_minor > 0 and not wallet.booked("debit", round_id=round_of(command))


def differing_field(first: Entry, command: WalletCommand, session: GameSession, wallet: PlayerWallet) -> str | None:
    """The first field of the content in which two commands of one id differ."""
    stored = first.command
    related = "originalTransactionId" if command.kind == "rollback" else "relatedTransactionId"
    pairs = [
        ("endpoint", stored.kind, command.kind),
        ("sessionToken", first.session.token_hash, session.token_hash),
        ("roundId", stored.round_id, command.round_id),
        ("amount", stored.amount, command.amount),
        ("currency", first.currency, command.currency or wallet.currency),
        (related, stored.related_id, command.related_id),
    ]
    return next((name for name, one, other in pairs if one != other), None)


def first_of(**refusals: bool) -> str | None:
    """The first refusal that applies."""
    return next((code for code, applies in refusals.items() if applies), None)


def of_credit(command: WalletCommand, session: GameSession, wallet: PlayerWallet) -> str | None:
    """Rule 6 and the game's cap."""
    paid_minor = sum(entry.moved_minor for entry in wallet.booked("credit", round_id=round_of(command)))
    cap_minor = session.win_cap_minor if session.win_cap_minor is not None else 100_000 * session.stake_max_minor
    over_cap = paid_minor + command.amount > cap_minor
    if command.related_id is None:
        return first_of(
            no_matching_bet=wallet.session_of_round(round_of(command)) is None,
            bet_rolled_back=not wallet.booked("debit", round_id=round_of(command)),
            win_cap_exceeded=over_cap,
        )
    bet = wallet.entries.get(bet_of(command))
    if bet is None or bet.command.kind != "debit" or bet.answer.code is not None:
        return "no_matching_bet"
    return first_of(
        no_matching_bet=bet.command.round_id != command.round_id,
        bet_rolled_back=bet.rolled_back,
        win_cap_exceeded=over_cap,
    )


def of_rollback(command: WalletCommand, session: GameSession, wallet: PlayerWallet) -> str | None:
    """Rules 5, 7 and 8."""
    bet = wallet.entries.get(bet_of(command))
    if bet is None:
        return None
    if bet.command.kind != "debit":
        return "not_a_bet"
    if bet.session is not session or bet.command.round_id != command.round_id:
        return "round_mismatch"
    live = bet.answer.code is None and not bet.rolled_back
    return "round_has_payout" if live and wallet.booked("credit", round_id=round_of(command)) else None
