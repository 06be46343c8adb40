"""The outbox of several casinos: what is due to one neither waits for another nor reaches it."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from typing import cast

import psycopg

from provider.casinos.registry import Casino
from provider.outbox.calls import MoneyCall
from provider.outbox.recovery import DELIVERIES_MAX, Outbox
from provider.outbox.sender import Sender
from provider.sessions.sealing import Sealer
from provider_testing.casinos import OTHER, OWN, due_payout, due_payouts, round_of
from provider_testing.round_case import OK, RoundCase, called, refusal_of
from provider_testing.service import rows
from shared_service_testing.waiting import until
from shared_signing.keys import KeyRing

SEALER = Sealer([b"a secret for tests"])


async def test_a_casino_with_a_backlog_leaves_the_others_their_share(case: RoundCase, owner_url: str) -> None:
    """The rows of the casino that is away are older and many: by age alone they would fill every claim."""
    await due_payouts(case, [OWN] * 6)
    own = await due_payout(case, OTHER)
    claimed = await case.books.claim_due({OWN: 2, OTHER: 2})
    assert Counter(call.casino_code for call in claimed) == {OWN: 2, OTHER: 1}
    assert own in {call.transaction_id for call in claimed}


async def test_a_casino_that_is_not_asked_for_keeps_what_it_is_owed(case: RoundCase) -> None:
    ids = await due_payouts(case, [OWN, OTHER])
    assert [call.transaction_id for call in await case.books.claim_due({OTHER: 9})] == [ids[1]]
    assert [call.transaction_id for call in await case.books.claim_due({OTHER: 9, OWN: 9})] == [ids[0]]


async def test_a_call_that_ends_in_time_is_never_routed(case: RoundCase, owner_url: str) -> None:
    bet = await case.debit(OK)
    await case.books.claim_due({OWN: 9})
    assert rows(owner_url, "select outbox_casino_code from provider.wallet_transactions") == [
        {"outbox_casino_code": None}
    ]
    assert await case.state_of(bet) == "committed"


async def test_a_row_that_two_casinos_claims_race_for_is_claimed_once(case: RoundCase) -> None:
    await due_payouts(case, [OWN, OTHER] * 3)
    claims = await asyncio.gather(*(case.books.claim_due({OWN: 2, OTHER: 2}) for _ in range(6)))
    claimed = [call.transaction_id for claim in claims for call in claim]
    claimed += [call.transaction_id for call in await case.books.claim_due({OWN: 9, OTHER: 9})]
    assert (len(claimed), len(set(claimed))) == (6, 6)


async def test_the_release_before_claims_only_while_there_is_one_casino(case: RoundCase, owner_url: str) -> None:
    """Its processes know one wallet: they would send a payout of the second casino to the first one's."""
    await due_payouts(case, [OWN])
    claim = "select o_transaction_id from provider.claim_due(10, 60)"
    with psycopg.connect(owner_url) as before:
        assert len(before.execute(claim).fetchall()) == 1
        before.rollback()
        await round_of(case.pool, case.books, OTHER)
        assert before.execute(claim).fetchall() == []


class HungWallets:
    """Senders whose deliveries to the casinos in `hung` do not end until `released`."""

    def __init__(self, case: RoundCase, *hung: str) -> None:
        self.began: list[str] = []
        self.ended: list[uuid.UUID] = []
        self.released = asyncio.Event()
        self._case = case
        self._hung = hung

    def of(self, casino: Casino) -> Sender:
        return cast("Sender", _HungSender(self, casino.code))

    async def deliver(self, code: str, call: MoneyCall) -> None:
        self.began.append(code)
        if code in self._hung:
            await self.released.wait()
        await self._case.books.write_outcome(call, called(OK))
        self.ended.append(call.transaction_id)


class _HungSender:
    def __init__(self, wallets: HungWallets, code: str) -> None:
        self._wallets, self._code = wallets, code

    async def deliver(self, call: MoneyCall) -> None:
        await self._wallets.deliver(self._code, call)


def casino(code: str) -> Casino:
    return Casino(code, "http://unused", KeyRing.awaiting_keys())


async def test_deliveries_to_a_wallet_that_hangs_leave_the_others_theirs(case: RoundCase, owner_url: str) -> None:
    """More is due to the casino that hangs than may be under way, and nothing of it ends."""
    await due_payouts(case, [OWN] * (DELIVERIES_MAX + 2))
    others = await due_payouts(case, [OTHER] * 3)
    with psycopg.connect(owner_url) as connection:
        connection.execute("update provider.game_sessions set token_sealed = %s", (SEALER.seal("token"),))
    wallets = HungWallets(case, OWN)
    outbox = Outbox(case.books, lambda: [casino(OWN), casino(OTHER)], wallets.of, SEALER, wake=lambda: None)
    await outbox.step()
    await until(lambda: len(wallets.ended) == 3)
    for _ in range(3):
        await outbox.step()
    late = await due_payout(case, OTHER)
    with psycopg.connect(owner_url) as connection:
        connection.execute("update provider.game_sessions set token_sealed = %s", (SEALER.seal("token"),))
    await outbox.step()
    await until(lambda: late in wallets.ended)
    assert sorted(wallets.ended) == sorted([*others, late])
    assert Counter(wallets.began) == {OWN: DELIVERIES_MAX, OTHER: 4}
    wallets.released.set()
    await outbox.drain(timeout_seconds=60)


async def test_a_casino_that_drains_gets_no_new_bet(case: RoundCase) -> None:
    """Checked before the intent, so nothing is left to take back."""
    sender = Sender(case.pool, case.books, cast("object", None), may_bet=lambda: False, wake=lambda: None)  # type: ignore[arg-type]
    assert await refusal_of(sender.send(case.call("debit"))) == "casino_draining"
    assert await case.books.count_pending([OWN]) == 0
