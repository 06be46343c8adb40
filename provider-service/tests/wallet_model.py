"""An honest wallet in plain Python: what the protocol says, for one currency, in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

REFUSAL = "Cannot rollback: round already has a payout"

Answer = tuple[int, dict[str, str], dict[str, Any]]
"""Status, headers, body."""


@dataclass
class Stored:
    """One transaction of the wallet."""

    kind: str
    round_id: str
    content: str
    amount: int
    state: str
    original: str | None = None
    answer: dict[str, Any] = field(default_factory=dict)


class WalletModel:
    """Balances by player, transactions by id. Every session token is good unless it is in `dead_tokens`."""

    def __init__(self, *, start_minor: int = 1_000_000, currency: str = "USD") -> None:
        self.start_minor = start_minor
        self.currency = currency
        self.balance_minor = start_minor
        self.transactions: dict[str, Stored] = {}
        self.tombstones: set[str] = set()
        self.dead_tokens: set[str] = set()

    def execute(self, kind: str, members: dict[str, Any]) -> Answer:
        """Do what was asked, once."""
        if members["sessionToken"] in self.dead_tokens:
            return refusal(404, "session_not_found")
        if kind == "getBalance":
            body = {"userId": members["userId"], "balance": str(self.balance_minor), "currency": self.currency}
            return 200, {}, body
        content = json.dumps({name: value for name, value in members.items() if name != "sessionToken"})
        known = self.transactions.get(members["transactionId"])
        if known is not None:
            if (known.kind, known.content) != (kind, content):
                return refusal(422, "idempotency_mismatch")
            return 200, {"idempotent-replay": "true"}, known.answer
        return getattr(self, f"_{kind}")(members, content)

    def live_bets(self) -> int:
        """Stakes that were taken and not given back."""
        return sum(t.amount for t in self.transactions.values() if t.kind == "debit" and t.state == "committed")

    def payouts(self) -> int:
        """What was paid out."""
        return sum(t.amount for t in self.transactions.values() if t.kind == "credit")

    def _debit(self, members: dict[str, Any], content: str) -> Answer:
        if members["transactionId"] in self.tombstones:
            return refusal(400, "transaction_rolled_back")
        if self._is_paid(members["roundId"]):
            return refusal(400, "round_has_payout")
        if members["amount"] > self.balance_minor:
            return refusal(402, "insufficient_balance")
        self.balance_minor -= members["amount"]
        return self._store("debit", members, content, members["amount"])

    def _credit(self, members: dict[str, Any], content: str) -> Answer:
        bet = self.transactions.get(members["relatedTransactionId"])
        if bet is None or bet.kind != "debit":
            return refusal(400, "no_matching_bet")
        if bet.state != "committed":
            return refusal(400, "bet_rolled_back")
        self.balance_minor += members["amount"]
        return self._store("credit", members, content, members["amount"])

    def _rollback(self, members: dict[str, Any], content: str) -> Answer:
        original = members["originalTransactionId"]
        bet = self.transactions.get(original)
        if bet is None:
            self.tombstones.add(original)
            return self._store("rollback", members, content, 0, original=original, tombstone=True)
        if self._is_paid(members["roundId"]):
            return refusal(400, "round_has_payout", REFUSAL)
        if bet.state == "committed":
            bet.state = "rolled_back"
            self.balance_minor += bet.amount
        return self._store("rollback", members, content, bet.amount, original=original)

    def _store(
        self,
        kind: str,
        members: dict[str, Any],
        content: str,
        amount: int,
        *,
        original: str | None = None,
        **extra: Any,
    ) -> Answer:
        body = {
            "transactionId": members["transactionId"],
            "balance": str(self.balance_minor),
            "currency": self.currency,
            "status": "ok",
            **extra,
        }
        stored = Stored(kind, members["roundId"], content, amount, "committed", original, body)
        self.transactions[members["transactionId"]] = stored
        return 200, {}, body

    def _is_paid(self, round_id: str) -> bool:
        return any(t.kind == "credit" and t.round_id == round_id for t in self.transactions.values())


def refusal(status: int, code: str, sentence: str = "No.") -> Answer:
    """An error as the protocol has it."""
    return status, {}, {"error": sentence, "code": code, "requestId": "r"}
