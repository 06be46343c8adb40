"""A second casino in the books: its sessions, rounds and due payouts, for tests of what casinos must not share."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from provider.outbox.books import Books
from provider.sessions.queries import NewSession, launch_session
from provider_testing.round_case import LOST, OK, RoundCase, called, paying
from shared_service.postgres.database import Database

OWN = "JAQPOT"
OTHER = "ACME"


async def round_of(pool: Database, books: Books, casino_code: str, *, token_sealed: bytes = b"sealed") -> RoundCase:
    """A new session of this casino with one open round."""
    new = NewSession(
        provider_session_id=uuid.uuid4(),
        casino_code=casino_code,
        casino_session_id=uuid.uuid4().hex,
        user_id="1",
        game_code="SLOTS_001",
        currency="USD",
        token_sealed=token_sealed,
    )
    session = await launch_session(pool, new)
    round_id = uuid.uuid4()
    opened = await books.open_round(round_id, session.provider_session_id, kind="scripted", request_id="r-1")
    assert opened == "opened"
    return RoundCase(pool, books, session.provider_session_id, round_id)


async def due_payout(case: RoundCase, casino_code: str) -> uuid.UUID:
    """A payout of this casino whose outcome is unknown and that is due now; returns its id."""
    of_casino = await round_of(case.pool, case.books, casino_code)
    bet = await of_casino.debit(OK)
    payout = paying(of_casino, bet)
    await case.books.write_intent(payout)
    await case.books.write_outcome(payout, called(LOST))
    async with case.pool.connection() as connection:
        await connection.execute(
            "update provider.wallet_transactions set due_at = provider.clock() where transaction_id = %s",
            (payout.transaction_id,),
        )
    return payout.transaction_id


async def due_payouts(case: RoundCase, casino_codes: Sequence[str]) -> list[uuid.UUID]:
    """A due payout for each of these codes, the longest due first."""
    return [await due_payout(case, code) for code in casino_codes]
