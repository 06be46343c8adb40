"""The transaction feed and the look-up of one transaction, for a provider's reconciliation. They only read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from starlette.datastructures import QueryParams
from starlette.responses import Response

from casino.errors import Refused
from casino.wallet import queries
from shared_service.http import decoding
from shared_service.postgres.database import Database

CALLS_OF_PROVIDER_MAX: Final = 16
"""Questions of one provider at once. One that asks more leaves the connections to the others."""
PAGE_DEFAULT: Final = 100
PAGE_MAX: Final = 1000
CURSOR_MAX: Final = 2**63 - 1
_RELATION: Final = {"credit": "relatedTransactionId", "rollback": "originalTransactionId"}

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Feed:
    """The transactions of one ledger as a provider sees them: its own."""

    database: Database
    ledger_id: int
    _asking: Counter[str] = field(default_factory=Counter)

    async def page(self, provider_id: str, query: QueryParams) -> Response:
        """One page in commit order. `next` is the cursor for the next page; an empty page has one too."""
        after = _number(query, "after", default=0, least=0, most=CURSOR_MAX)
        limit = _number(query, "limit", default=PAGE_DEFAULT, least=1, most=PAGE_MAX)
        wanted = {"ledger_id": self.ledger_id, "provider_id": provider_id, "after": after, "limit": limit}
        rows = await self._ask(queries.FEED_PAGE, wanted)
        newest = rows[-1][0] if rows else after
        return _json({"transactions": [_render(row) for row in rows], "next": str(newest)})

    async def transaction(self, provider_id: str, transaction_id: str, query: QueryParams) -> Response:
        """One transaction of a player, or the tombstone of its id. Raises Refused(not_found) for an unknown id."""
        wanted = {
            "ledger_id": self.ledger_id,
            "provider_id": provider_id,
            "player_id": decoding.identifier({"userId": query.get("userId")}, "userId"),
            "transaction_id": decoding.identifier({"transactionId": transaction_id}, "transactionId"),
        }
        for row in await self._ask(queries.FIND_TRANSACTION, wanted):
            return _json(_render(row))
        for row in await self._ask(queries.FIND_TOMBSTONE, wanted):
            return _json(_render_tombstone(row))
        raise Refused("not_found")

    async def _ask(self, statement: str, wanted: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
        """Raises Refused(overloaded) for a provider that asks too much at once."""
        provider_id: str = wanted["provider_id"]
        if self._asking[provider_id] >= CALLS_OF_PROVIDER_MAX:
            raise Refused("overloaded")
        self._asking[provider_id] += 1
        try:
            return await self.database.call(statement, wanted)
        finally:
            self._asking[provider_id] -= 1


def _number(query: QueryParams, name: str, *, default: int, least: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(CURSOR_MAX)) and str(int(text)) == text
    if not (is_number and least <= int(text) <= most):
        raise Refused("invalid_field", field=name)
    return int(text)


def _render(row: tuple[Any, ...]) -> dict[str, Any]:
    (
        _, transaction_id, player_id, round_id, kind, amount_minor, currency, state, balance_after, related_id, at, head
    ) = row  # fmt: skip
    content = {
        "transactionId": transaction_id,
        "userId": player_id,
        "roundId": round_id,
        "type": kind,
        "amount": amount_minor,
        "currency": currency,
        "state": state,
        "balanceAfter": str(balance_after),
        "at": _moment(at),
    }
    if related_id is not None:
        content[_RELATION[kind]] = related_id
    if head is not None:
        content["head"] = head
    return content


def _render_tombstone(row: tuple[Any, ...]) -> dict[str, Any]:
    transaction_id, player_id, round_id, currency, rollback_id, at = row
    return {
        "transactionId": transaction_id,
        "userId": player_id,
        "roundId": round_id,
        "type": "debit",
        "amount": 0,
        "currency": currency,
        "state": "cancelled",
        "cancelledBy": rollback_id,
        "at": _moment(at),
    }


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(content: dict[str, Any]) -> Response:
    return Response(_encode(content), media_type="application/json")
