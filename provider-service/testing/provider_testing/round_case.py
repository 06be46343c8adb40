"""The books with one session and one open round, for tests of single statements."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from provider.outbox.backoff import Backoff
from provider.outbox.books import Books, NotRecorded
from provider.outbox.calls import MoneyCall, rollback_id_of
from provider.sessions.queries import NewSession, launch_session
from provider.sql.schema import database_for
from provider.wallet_client.actions import action_for
from provider.wallet_client.messages import WalletSession
from provider.wallet_client.outcomes import Accepted, Attempt, Called, Refused, Unknown
from provider_testing.service import rows, settings_for
from shared_service.postgres.database import Database

LEASE_SECONDS = 60.0
"""Longer than any test: a lease ends only when the test ends it."""


@dataclass
class RoundCase:
    """The books with one session and one open round."""

    pool: Database
    books: Books
    session_id: uuid.UUID
    round_id: uuid.UUID
    other_sessions: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    """The sessions of other rounds, by round."""

    def call(self, kind: Any, **members: Any) -> MoneyCall:
        round_id = members.pop("round_id", self.round_id)
        return MoneyCall(
            transaction_id=members.pop("transaction_id", None) or uuid.uuid4(),
            kind=kind,
            reason=members.pop("reason", "test"),
            provider_session_id=self.other_sessions.get(round_id, self.session_id),
            round_id=round_id,
            wallet=WalletSession("1", "USD", "token"),
            request_id="r-1",
            amount_minor=members.pop("amount_minor", 1000),
            **members,
        )

    async def debit(self, outcome: Any = None) -> MoneyCall:
        """Record a bet and, if given, its outcome."""
        bet = self.call("debit")
        await self.books.write_intent(bet)
        if outcome is not None:
            await self.books.write_outcome(bet, called(outcome))
        return bet

    async def end_leases(self) -> None:
        """End every lease and every pause."""
        async with self.pool.connection() as connection:
            await connection.execute(
                "update provider.wallet_transactions set due_at = provider.clock() where due_at is not null"
            )
            await connection.execute("update provider.rounds set lease_until = provider.clock()")

    async def state_of(self, call: MoneyCall) -> str:
        async with self.pool.connection() as connection:
            query = "select state from provider.wallet_transactions where transaction_id = %s"
            row = await (await connection.execute(query, (call.transaction_id,))).fetchone()
        assert row is not None
        return str(row[0])


def called(outcome: Any, attempts: int = 1) -> Called:
    made = Attempt(time.monotonic(), 3, 200, None, "good", None)
    return Called(outcome, (made,) * attempts)


def undoing(case: RoundCase, bet: MoneyCall, **members: Any) -> MoneyCall:
    return case.call(
        "rollback",
        transaction_id=rollback_id_of(bet.transaction_id),
        original_transaction_id=bet.transaction_id,
        **members,
    )


def paying(case: RoundCase, bet: MoneyCall, **members: Any) -> MoneyCall:
    return case.call("credit", related_transaction_id=bet.transaction_id, **members)


async def sent(case: RoundCase, call: MoneyCall) -> MoneyCall:
    await case.books.write_intent(call)
    return call


def row_of(owner_url: str, transaction_id: uuid.UUID) -> dict[str, Any]:
    (found,) = rows(owner_url, "select * from provider.wallet_transactions where transaction_id = %s", transaction_id)
    return found


OK = Accepted(200, 5000, False, False, {}, b"")
LOST = Unknown("operator_unreachable", "deadline")
NO_MONEY = Refused(402, "insufficient_balance", action_for(402, "insufficient_balance"), {})


async def another_round(case: RoundCase) -> uuid.UUID:
    """A second open round, of another session."""
    made, session = uuid.uuid4(), uuid.uuid4()
    case.other_sessions[made] = session
    async with case.pool.connection() as connection:
        await connection.execute(
            "insert into provider.game_sessions (provider_session_id, casino_code, casino_session_id, player_id,"
            " user_id, game_code, currency, token_sealed) select %s, casino_code, %s, player_id, user_id, game_code,"
            " currency, token_sealed from provider.game_sessions limit 1",
            (session, session.hex),
        )
    assert await case.books.open_round(made, session, kind="scripted", request_id="r") == "opened"
    return made


def in_round(case: RoundCase, call: MoneyCall, round_id: uuid.UUID) -> MoneyCall:
    """The same call in another round, and in that round's session."""
    session_id = case.other_sessions.get(round_id, case.session_id)
    return replace(call, round_id=round_id, provider_session_id=session_id)


async def refusal_of(work: Awaitable[Any]) -> str:
    with pytest.raises(NotRecorded) as refused:
        await work
    return refused.value.code


@asynccontextmanager
async def open_case(database_url: str) -> AsyncIterator[RoundCase]:
    """The books of an empty database, with one session and one open round."""
    async with database_for(settings_for(database_url, "http://unused")) as pool:
        books = Books(pool, lease_seconds=LEASE_SECONDS, backoff=Backoff(0.1))
        new = NewSession(
            provider_session_id=uuid.uuid4(),
            casino_code="JAQPOT",
            casino_session_id=uuid.uuid4().hex,
            user_id="1",
            game_code="SLOTS_001",
            currency="USD",
            token_sealed=b"sealed",
        )
        session = await launch_session(pool, new)
        case = RoundCase(pool, books, session.provider_session_id, uuid.uuid4())
        opened = await books.open_round(case.round_id, case.session_id, kind="scripted", request_id="r-1")
        assert opened == "opened"
        yield case
