"""Reads for the operator's commands: all about one transaction, and the newest head of each player's chain."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import dict_row

from provider.reconciliation.transactions import own_id
from shared_service.postgres.database import Database

RELATED_MAX: Final = 100
HEADS_PAGE_ROWS: Final = 500
HEADS_READING_MS: Final = 600_000
"""Time-out for a scan of all transactions. Only a command does it, never a serving process."""

_TRANSACTION: Final = """
    select t.*, s.casino_code, s.user_id, s.casino_session_id, s.game_code, s.state as session_state, s.stopped_code,
        s.created_at as session_opened_at, r.kind as round_kind, r.state as round_state, r.ended_code as round_code,
        r.created_at as round_opened_at, r.ended_at as round_ended_at
    from provider.wallet_transactions as t
    join provider.game_sessions as s on s.provider_session_id = t.provider_session_id
    join provider.rounds as r on r.round_id = t.round_id
"""
_BY_ID: Final = f"{_TRANSACTION} where t.transaction_id = %s"
_CREDITS: Final = (
    f"{_TRANSACTION} where t.round_id = %s and t.related_transaction_id = %s order by t.created_at limit %s"
)
_ATTEMPTS: Final = """
    select sent_at, elapsed_ms, status, code, signature, failure
    from provider.wallet_attempts where transaction_id = %s order by attempt_id
"""
_DIFFERENCES: Final = """
    select d.run_id, r.casino_code, d.kind, d.user_id, d.ours, d.theirs, d.proposed_repair, d.found_at, d.healed_at,
        d.healed_by
    from provider.reconciliation_differences as d
    join provider.reconciliation_runs as r on r.run_id = d.run_id
    where d.transaction_id = %s and (%s::text is null or coalesce(r.casino_code, %s) = %s)
    order by d.difference_id desc
    limit %s
"""
_HEADS: Final = """
    select distinct on (s.user_id)
        s.user_id, s.casino_code, t.head_sequence, t.head_hash, t.transaction_id::text
    from provider.wallet_transactions as t
    join provider.game_sessions as s on s.provider_session_id = t.provider_session_id
    where t.head_sequence is not null and s.casino_code = %s
    order by s.user_id, t.head_sequence desc, t.answered_at desc
"""


async def life_of(pool: Database, text: str, casino_code: str | None = None) -> dict[str, Any] | None:
    """Everything about this id, ready for JSON; None when these books do not have it (for this casino)."""
    transaction_id = own_id(text.strip().lower())
    found = await _rows(pool, _BY_ID, transaction_id) if transaction_id is not None else []
    if casino_code is not None:
        found = [row for row in found if row["casino_code"] == casino_code]
    shown_id = text if transaction_id is None else str(transaction_id)
    differences = await _rows(pool, _DIFFERENCES, shown_id, casino_code, casino_code, casino_code, RELATED_MAX)
    if not found and not differences:
        return None
    life: dict[str, Any] = {"transactionId": shown_id}
    if found:
        life |= _transaction_members(found[0])
        life["attempts"] = await _attempts(pool, found[0]["transaction_id"])
        life["rollback"] = await _rollback(pool, found[0])
        life["credits"] = [
            await _with_attempts(pool, row)
            for row in await _rows(pool, _CREDITS, found[0]["round_id"], transaction_id, RELATED_MAX)
        ]
    life["differences"] = [{_camel(name): _plain(value) for name, value in row.items()} for row in differences]
    return life


async def newest_heads(pool: Database, casino_code: str) -> AsyncIterator[dict[str, Any]]:
    """Yield the newest head of each player of a casino from a signed answer.

    In the form that `casino check-ledger --heads` reads.
    """
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(f"set local statement_timeout = {HEADS_READING_MS}")
        async with connection.cursor(name="newest_heads") as cursor:
            cursor.itersize = HEADS_PAGE_ROWS
            await cursor.execute(_HEADS, (casino_code,))
            async for user_id, code, sequence, head_hash, transaction_id in cursor:
                yield {
                    "userId": user_id,
                    "casinoCode": code,
                    "sequence": sequence,
                    "hash": head_hash,
                    "transactionId": transaction_id,
                }


async def _rollback(pool: Database, row: dict[str, Any]) -> dict[str, Any] | None:
    if row["kind"] != "debit":
        return None
    found = await _rows(pool, _BY_ID, row["rollback_transaction_id"])
    return await _with_attempts(pool, found[0]) if found else None


async def _with_attempts(pool: Database, row: dict[str, Any]) -> dict[str, Any]:
    told = {"transactionId": str(row["transaction_id"])} | _transaction_members(row)
    return told | {"attempts": await _attempts(pool, row["transaction_id"])}


async def _attempts(pool: Database, transaction_id: UUID) -> list[dict[str, Any]]:
    rows = await _rows(pool, _ATTEMPTS, transaction_id)
    return [{_camel(name): _plain(value) for name, value in row.items()} for row in rows]


def _transaction_members(row: dict[str, Any]) -> dict[str, Any]:
    head = None if row["head_sequence"] is None else f"{row['head_sequence']}:{row['head_hash']}"
    named = {
        "kind": row["kind"],
        "state": row["state"],
        "amount": str(row["amount_minor"]),
        "currency": row["currency"],
        "reason": row["reason"],
        "requestId": row["request_id"],
        "outcome": row["outcome_code"],
        "contradiction": row["difference_code"],
        "tombstone": row["tombstone"],
        "balanceAfter": None if row["balance_after_minor"] is None else str(row["balance_after_minor"]),
        "head": head,
        "deliveries": row["deliveries"],
        "httpAttempts": row["attempts"],
        "relatedTransactionId": row["related_transaction_id"],
        "originalTransactionId": row["original_transaction_id"],
        "rollbackTransactionId": row["rollback_transaction_id"],
        "createdAt": row["created_at"],
        "answeredAt": row["answered_at"],
        "endedAt": row["ended_at"],
        "inDoubtSince": row["in_doubt_at"],
        "dueAt": row["due_at"],
        "player": {"casinoCode": row["casino_code"], "userId": row["user_id"]},
        "session": {
            "providerSessionId": row["provider_session_id"],
            "casinoSessionId": row["casino_session_id"],
            "gameCode": row["game_code"],
            "state": row["session_state"],
            "stopped": row["stopped_code"],
            "openedAt": row["session_opened_at"],
        },
        "round": {
            "roundId": row["round_id"],
            "kind": row["round_kind"],
            "state": row["round_state"],
            "ended": row["round_code"],
            "openedAt": row["round_opened_at"],
            "endedAt": row["round_ended_at"],
        },
    }
    return {name: _plain(value) for name, value in named.items()}


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    return str(value) if isinstance(value, UUID) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


async def _rows(pool: Database, statement: str, *values: Any) -> list[dict[str, Any]]:
    async with pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(statement, values)).fetchall()
