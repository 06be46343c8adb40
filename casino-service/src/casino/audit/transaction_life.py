"""The history of one transaction, from the ledger: the request, what was booked, and what followed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from casino.audit import queries
from casino.audit.snapshot import Books, Row

Life = dict[str, Any]


def lives_of(books: Books, ledger_id: int, transaction_id: str, player_id: str | None) -> list[Life]:
    """Returns the transactions with this id and the tombstones for it, of one player or all. Empty if never seen."""
    wanted = {"ledger_id": ledger_id, "transaction_id": transaction_id, "player_id": player_id}
    stones = {(row["wallet_id"], row["provider_id"]): row for row in books.execute(queries.TOMBSTONES, wanted)}
    entries = books.execute(queries.ENTRY, wanted).fetchall()
    lives = [_life(books, entry, stones.pop((entry["wallet_id"], entry["provider_id"]), None)) for entry in entries]
    return lives + [_life_of_a_stone(books, stone) for stone in stones.values()]


def _life(books: Books, entry: Row, stone: Row | None) -> Life:
    followers = books.execute(queries.FOLLOWERS, entry).fetchall()
    return {
        "transactionId": entry["transaction_id"],
        "userId": entry["player_id"],
        "provider": entry["provider_id"],
        "kind": entry["kind"],
        "amount": entry["amount_minor"],
        "currency": entry["currency"],
        "state": entry["state_now"],
        "refusal": entry["refusal_code"],
        "relatedTransactionId": entry["related_transaction_id"],
        "tombstone": entry["tombstone"] or None,
        "alreadyRolledBack": entry["already_rolled_back"] or None,
        "reason": entry["reason"],
        "session": _session(entry),
        "round": _round(entry),
        "requestId": entry["request_id"],
        "signature": _signature(entry),
        "times": _times(entry),
        "balanceAfter": entry["balance_after_minor"],
        "head": entry["head"],
        "feedPosition": entry["feed_position"],
        "postings": [
            {"account": row["account"], "amount": row["amount_minor"], "currency": row["currency"]}
            for row in books.execute(queries.POSTINGS, entry)
        ],
        "changes": _changes(entry, followers, stone),
        "rollbacks": [_rollback(row) for row in followers if row["kind"] == "rollback"],
        "attempts": _attempts(books, entry),
    }


def _life_of_a_stone(books: Books, stone: Row) -> Life:
    """The history of an id that was rolled back before its bet arrived: only the rollback is known."""
    followers = books.execute(queries.FOLLOWERS, {**stone, "kind": "debit"}).fetchall()
    return {
        "transactionId": stone["transaction_id"],
        "userId": stone["player_id"],
        "provider": stone["provider_id"],
        "kind": "debit",
        "state": "cancelled",
        "round": {"id": stone["round_id"]},
        "changes": [_change(stone["recorded_at"], "tombstoned", stone["rollback_transaction_id"])],
        "rollbacks": [_rollback(row) for row in followers if row["kind"] == "rollback"],
        "attempts": _attempts(books, stone),
    }


def _session(entry: Row) -> Life | None:
    if entry["session_id"] is None:
        return None
    return {
        "id": str(entry["session_id"]),
        "providerSessionId": entry["provider_session_id"],
        "game": entry["game_code"],
        "openedAt": _moment(entry["session_opened_at"]),
        "expiresAt": _moment(entry["session_expires_at"]),
        "closedAt": _moment(entry["session_closed_at"]),
    }


def _round(entry: Row) -> Life | None:
    if entry["round_id"] is None:
        return None
    return {
        "id": entry["round_id"],
        "openedAt": _moment(entry["round_opened_at"]),
        "closedAt": _moment(entry["round_closed_at"]),
    }


def _signature(entry: Row) -> Life | None:
    """The signer and its clock. Only requests with a valid signature are recorded, so the verdict is always `good`."""
    if entry["signed_by"] is None:
        return None
    return {"verdict": "good", "keyId": entry["signed_by"], "clockSkewSeconds": entry["clock_skew_seconds"]}


def _times(entry: Row) -> Life:
    received_at, recorded_at = entry["received_at"], entry["recorded_at"]
    took_ms = None if received_at is None else round((recorded_at - received_at).total_seconds() * 1_000, 3)
    return {"receivedAt": _moment(received_at), "recordedAt": _moment(recorded_at), "tookMs": took_ms}


def _changes(entry: Row, followers: list[Row], stone: Row | None) -> list[Life]:
    """Returns the states in order of time, each with the transaction that caused it."""
    first = "refused" if entry["refusal_code"] else "recorded"
    changes = [(entry["recorded_at"], first, entry["transaction_id"])]
    if entry["kind"] == "debit":
        worked = [row for row in followers if row["kind"] == "rollback" and row["amount_minor"] > 0]
        credit = [row for row in followers if row["kind"] == "credit"]
        if entry["state_now"] == "rolled_back":
            changes += [(row["recorded_at"], "rolled_back", row["transaction_id"]) for row in worked[:1]]
        if entry["state_now"] == "settled":
            changes += [(row["recorded_at"], "settled", row["transaction_id"]) for row in credit[:1]]
    if stone is not None:
        changes.append((stone["recorded_at"], "tombstoned", stone["rollback_transaction_id"]))
    return [_change(*change) for change in sorted(changes, key=lambda change: change[0])]


def _change(at: datetime, what: str, by: str) -> Life:
    return {"at": _moment(at), "change": what, "by": by}


def _rollback(row: Row) -> Life:
    effect = "tombstone" if row["tombstone"] else "already rolled back" if row["already_rolled_back"] else "returned"
    return {
        "at": _moment(row["recorded_at"]),
        "transactionId": row["transaction_id"],
        "effect": effect,
        "amount": row["amount_minor"],
        "requestId": row["request_id"],
        "keyId": row["signed_by"],
    }


def _attempts(books: Books, entry: Row) -> list[Life]:
    return [
        {
            "attempt": row["attempt"],
            "times": row["times"],
            "firstAt": _moment(row["first_at"]),
            "lastAt": _moment(row["last_at"]),
            "lastRequestId": row["last_request_id"],
            "refusal": row["last_refusal"],
        }
        for row in books.execute(queries.ATTEMPTS, entry)
    ]


def _moment(at: datetime | None) -> str | None:
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
