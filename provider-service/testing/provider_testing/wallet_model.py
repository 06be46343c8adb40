"""A correct wallet in memory, for one currency: the protocol in plain Python."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

AT = "2026-11-21T06:00:00.000Z"
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
    status: int = 200
    balance_after: int = 0


class WalletModel:
    """One balance, transactions by id. Every session token is valid unless it is in `dead_tokens`."""

    def __init__(self, *, start_minor: int = 1_000_000, currency: str = "USD") -> None:
        self.start_minor = start_minor
        self.currency = currency
        self.balance_minor = start_minor
        self.transactions: dict[str, Stored] = {}
        self.tombstones: set[str] = set()
        self.dead_tokens: set[str] = set()
        self.keeps_heads = False
        self.drifts: dict[str, dict[str, Any]] = {}  # changed members in the feed and the look-up

    def execute(self, kind: str, members: dict[str, Any]) -> Answer:
        """Execute a call; a repeated id gets its first answer."""
        if kind in ("transactions", "transaction"):
            return self._page(members) if kind == "transactions" else self._look_up(members)
        if members["sessionToken"] in self.dead_tokens:
            return refusal(404, "session_not_found")
        if kind == "getBalance":
            body = {"userId": members["userId"], "balance": str(self.balance_minor), "currency": self.currency}
            return 200, {}, body | self._head(len(self.transactions))
        content = json.dumps({name: value for name, value in members.items() if name != "sessionToken"})
        known = self.transactions.get(members["transactionId"])
        if known is not None:
            if (known.kind, known.content) != (kind, content):
                return refusal(422, "idempotency_mismatch")
            return known.status, {"idempotent-replay": "true"}, known.answer
        return getattr(self, f"_{kind}")(members, content)

    def live_bets(self) -> int:
        """The sum of stakes that were not rolled back."""
        return sum(t.amount for t in self.transactions.values() if t.kind == "debit" and t.state == "committed")

    def payouts(self) -> int:
        """The sum of payouts."""
        return sum(t.amount for t in self.transactions.values() if t.kind == "credit")

    def _debit(self, members: dict[str, Any], content: str) -> Answer:
        if members["transactionId"] in self.tombstones:
            return refusal(400, "transaction_rolled_back")
        if self._is_paid(members["roundId"]):
            return refusal(400, "round_has_payout")
        if members["amount"] > self.balance_minor:
            status, headers, body = refusal(402, "insufficient_balance")
            stored = Stored("debit", members["roundId"], content, members["amount"], "refused", None, body, status)
            stored.balance_after = self.balance_minor
            self.transactions[members["transactionId"]] = stored
            return status, headers, body
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
        if bet is None or bet.state == "refused":
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
            **self._head(len(self.transactions) + 1),
        }
        stored = Stored(kind, members["roundId"], content, amount, "committed", original, body)
        stored.balance_after = self.balance_minor
        self.transactions[members["transactionId"]] = stored
        return 200, {}, body

    def _head(self, sequence: int) -> dict[str, str]:
        return {"head": f"{sequence}:{'0' * 64}"} if self.keeps_heads and sequence else {}

    def _page(self, query: dict[str, str]) -> Answer:
        after, limit = int(query["after"]), int(query["limit"])
        ids = list(self.transactions)[after : after + limit]
        rows = [self.told(transaction_id) for transaction_id in ids]
        return 200, {}, {"transactions": rows, "next": str(after + len(rows))}

    def _look_up(self, query: dict[str, str]) -> Answer:
        transaction_id = query["transactionId"]
        if transaction_id in self.transactions and self.told(transaction_id)["userId"] == query["userId"]:
            return 200, {}, self.told(transaction_id)
        if transaction_id in self.tombstones:
            stone = {"transactionId": transaction_id, "userId": query["userId"], "roundId": "r", "type": "debit"}
            told = {"amount": 0, "currency": self.currency, "state": "cancelled", "cancelledBy": "x", "at": AT}
            return 200, {}, stone | told
        return refusal(404, "not_found")

    def told(self, transaction_id: str) -> dict[str, Any]:
        """A transaction as the feed shows it."""
        stored = self.transactions[transaction_id]
        content = json.loads(stored.content)
        settled = stored.kind == "debit" and stored.state == "committed" and self._is_paid(stored.round_id)
        row = {
            "transactionId": transaction_id,
            "userId": content["userId"],
            "roundId": stored.round_id,
            "type": stored.kind,
            "amount": stored.amount,
            "currency": self.currency,
            "state": "settled" if settled else stored.state,
            "balanceAfter": str(stored.balance_after),
            "at": AT,
        }
        relations = ("relatedTransactionId", "originalTransactionId")
        return (
            row | {name: content[name] for name in relations if name in content} | self.drifts.get(transaction_id, {})
        )

    def _is_paid(self, round_id: str) -> bool:
        return any(t.kind == "credit" and t.round_id == round_id for t in self.transactions.values())


def refusal(status: int, code: str, sentence: str = "No.") -> Answer:
    """An error answer of the protocol."""
    return status, {}, {"error": sentence, "code": code, "requestId": "r"}
