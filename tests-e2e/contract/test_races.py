"""Protocol section 4 (2) and (4): whatever runs at the same time, one effect for one id, and no balance below zero."""

import asyncio
import random
from collections import Counter

import pytest

from e2e_testing.answers import Answer
from e2e_testing.database import Database
from e2e_testing.game_session import GameSession, JsonObject, new_id
from e2e_testing.signing_client import ParallelSigningClient
from e2e_testing.stack import Stack, StartStack

COPIES = 20
BUSY_TRIES_MAX = 50
TRIALS = 1000
TRIALS_AT_ONCE = 16
HEAD_START_SECONDS_MAX = 0.004


async def post_all(stack: Stack, calls: list[tuple[str, JsonObject]]) -> list[Answer]:
    """Every call on a connection of its own, all in flight at once."""
    async with ParallelSigningClient(stack.casino, connections=len(calls)) as client:
        return await asyncio.gather(*(client.post(f"/casino/{endpoint}", content) for endpoint, content in calls))


async def posted_while_busy(client: ParallelSigningClient, endpoint: str, content: JsonObject) -> Answer:
    """The same beside others: a wallet is busy where a process that holds it stands still."""
    for _ in range(BUSY_TRIES_MAX):
        answer = await client.post(f"/casino/{endpoint}", content)
        if answer.status != 409:
            break
        await asyncio.sleep(0.005)
    return answer


def retried_while_busy(session: GameSession, endpoint: str, content: JsonObject, answer: Answer) -> Answer:
    """What a caller does with 409: the same id again."""
    for _ in range(BUSY_TRIES_MAX):
        if answer.status != 409:
            return answer
        answer = session.post(endpoint, content)
    return answer


def test_identical_bets_in_flight_at_once_take_one_stake(stack: Stack, session: GameSession) -> None:
    """Row B2."""
    start, content = session.balance(), session.debit_content()
    answers = asyncio.run(post_all(stack, [("debit", content)] * COPIES))
    settled = [retried_while_busy(session, "debit", content, answer) for answer in answers]
    assert {answer.status for answer in settled} == {200}
    assert len({answer.body for answer in settled}) == 1, "byte for byte the same answer"
    assert [answer.is_replay for answer in answers if answer.status == 200].count(False) == 1, "one was the first"
    assert session.balance() == start - 1000


def test_identical_wins_and_rollbacks_in_flight_at_once_pay_once(stack: Stack, session: GameSession) -> None:
    """Row B2."""
    bet, undone = session.bet(), session.bet()
    start = session.balance()
    win = session.credit_content(5000, round_id=bet.round_id, related=bet.transaction_id)
    undo = session.rollback_content(undone.transaction_id, round_id=undone.round_id)
    answers = asyncio.run(post_all(stack, [("credit", win), ("rollback", undo)] * COPIES))
    assert {answer.status for answer in answers} <= {200, 409}
    session.post("credit", win).must_be_ok()
    session.post("rollback", undo).must_be_ok()
    assert session.balance() == start + 5000 + 1000


def test_rollbacks_of_one_bet_under_many_ids_at_once_return_it_once(stack: Stack, session: GameSession) -> None:
    start, bet = session.balance(), session.bet()
    calls = [session.rollback_content(bet.transaction_id, round_id=bet.round_id) for _ in range(COPIES)]
    answers = asyncio.run(post_all(stack, [("rollback", content) for content in calls]))
    settled = [
        retried_while_busy(session, "rollback", content, answer) for content, answer in zip(calls, answers, strict=True)
    ]
    assert {answer.status for answer in settled} == {200}
    assert [answer.content.get("alreadyRolledBack") for answer in settled].count(None) == 1
    assert session.balance() == start


def test_the_last_stake_is_spent_once_by_fifty_bets_at_once(stack: Stack, database: Database) -> None:
    """Row G1."""
    poor = stack.session(balance_minor=1000)
    contents = [poor.debit_content(1000) for _ in range(50)]
    answers = asyncio.run(post_all(stack, [("debit", content) for content in contents]))
    settled = [
        retried_while_busy(poor, "debit", content, answer) for content, answer in zip(contents, answers, strict=True)
    ]
    assert Counter(answer.verdict for answer in settled) == {(200, None): 1, (402, "insufficient_balance"): 49}
    assert poor.balance() == 0


def test_two_sessions_of_a_player_spend_one_balance(stack: Stack, database: Database) -> None:
    """Row G1. Pitfall 7."""
    first = stack.session(balance_minor=10_000)
    second = stack.session(first.user_id)
    calls = [("debit", seat.debit_content(1000)) for seat in (first, second) for _ in range(10)]
    answers = asyncio.run(post_all(stack, calls))
    settled = [retried_while_busy(first, *call, answer) for call, answer in zip(calls, answers, strict=True)]
    assert Counter(answer.status for answer in settled) == {200: 10, 402: 10}
    assert (first.balance(), second.balance()) == (0, 0)


def test_a_payout_and_a_rollback_at_once_never_both_happen(stack: Stack, session: GameSession) -> None:
    """Row B5."""

    async def race() -> list[tuple[Answer, Answer]]:
        async with ParallelSigningClient(stack.casino, connections=2) as client:
            pairs = []
            for bet in bets:
                win = session.credit_content(3000, round_id=bet.round_id, related=bet.transaction_id)
                undo = session.rollback_content(bet.transaction_id, round_id=bet.round_id)
                calls = [("credit", win), ("rollback", undo)]
                random.shuffle(calls)
                done = dict(
                    zip(
                        [endpoint for endpoint, _ in calls],
                        await asyncio.gather(*(posted_while_busy(client, *call) for call in calls)),
                        strict=True,
                    )
                )
                pairs.append((done["credit"], done["rollback"]))
            return pairs

    start, bets = session.balance(), [session.bet() for _ in range(40)]
    pairs = asyncio.run(race())
    outcomes = Counter((win.code, undo.code) for win, undo in pairs)
    assert set(outcomes) <= {(None, "round_has_payout"), ("bet_rolled_back", None)}, outcomes
    assert session.balance() == start + 2000 * outcomes[(None, "round_has_payout")]


class Trial:
    """One bet and its rollback, sent at the same moment on two connections."""

    def __init__(self, session: GameSession) -> None:
        self.round_id, self.bet, self.undo = new_id(), new_id(), new_id()
        self.debit = session.debit_content(transaction_id=self.bet, round_id=self.round_id)
        self.rollback = session.rollback_content(self.bet, round_id=self.round_id, transaction_id=self.undo)

    async def run(self, client: ParallelSigningClient, dice: random.Random) -> str:
        """Which of the two ends came about. A busy wallet is asked again, as every caller does."""
        calls = [("debit", self.debit), ("rollback", self.rollback)]
        dice.shuffle(calls)
        late = dice.uniform(0, HEAD_START_SECONDS_MAX)
        answers = await asyncio.gather(
            self._post(client, *calls[0], after=0.0), self._post(client, *calls[1], after=late)
        )
        done = dict(zip([endpoint for endpoint, _ in calls], answers, strict=True))
        return self._end(done["debit"], done["rollback"])

    async def _post(self, client: ParallelSigningClient, endpoint: str, content: JsonObject, *, after: float) -> Answer:
        await asyncio.sleep(after)
        return await posted_while_busy(client, endpoint, content)

    def _end(self, debit: Answer, rollback: Answer) -> str:
        tombstone = rollback.content.get("tombstone")
        if debit.status == 200 and rollback.status == 200 and not tombstone:
            return "debit, then reversal"
        if debit.verdict == (400, "transaction_rolled_back") and rollback.status == 200 and tombstone:
            return "tombstone, then refusal"
        return f"impossible: {debit.status} {debit.body!r}, {rollback.status} {rollback.body!r}"


@pytest.mark.slow
def test_a_bet_racing_its_rollback_ends_in_one_of_two_ways_and_moves_nothing(stack: Stack, database: Database) -> None:
    """Row B4, within one process: `faults/test_storms.py` does it with two."""
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    sessions = [stack.session() for _ in range(TRIALS_AT_ONCE)]

    async def player(session: GameSession, client: ParallelSigningClient) -> list[str]:
        return [await Trial(session).run(client, dice) for _ in range(TRIALS // TRIALS_AT_ONCE + 1)]

    async def campaign() -> Counter[str]:
        async with ParallelSigningClient(stack.casino, connections=2 * TRIALS_AT_ONCE) as client:
            ends = await asyncio.gather(*(player(session, client) for session in sessions))
        return Counter(end for of_player in ends for end in of_player)

    ends = asyncio.run(campaign())
    assert set(ends) == {"debit, then reversal", "tombstone, then refusal"}, f"seed {seed}: {ends}"
    assert ends.total() >= TRIALS
    assert [session.balance() for session in sessions] == [1_000_000] * TRIALS_AT_ONCE, f"seed {seed}"


@pytest.mark.slow
def test_two_casino_processes_on_one_database_have_one_effect_for_one_id(start_stack: StartStack) -> None:
    """Row B2."""
    first = start_stack()
    second = start_stack(like=first)
    session = first.session()

    async def both(calls: list[tuple[str, JsonObject]]) -> list[Answer]:
        async with ParallelSigningClient(first.casino) as one, ParallelSigningClient(second.casino) as two:
            return await asyncio.gather(
                *(client.post(f"/casino/{name}", content) for name, content in calls for client in (one, two))
            )

    for _ in range(20):
        start, content = session.balance(), session.debit_content()
        answers = asyncio.run(both([("debit", content)] * 5))
        assert {answer.status for answer in answers} <= {200, 409}
        assert len({answer.body for answer in answers if answer.status == 200}) == 1
        assert session.post("debit", content).must_be_ok().is_replay
        assert session.balance() == start - 1000

    poor = first.session(balance_minor=1000)
    asyncio.run(both([("debit", poor.debit_content(1000)) for _ in range(25)]))
    assert poor.balance() == 0
    taken = first.books.rows(
        "select 1 from casino.transactions as transaction join casino.wallets using (ledger_id, wallet_id)"
        " where player_id = %(player)s and transaction.kind = 'debit' and transaction.state = 'committed'",
        player=poor.user_id,
    )
    assert len(taken) == 1


@pytest.mark.slow
def test_a_nonce_is_accepted_once_by_two_casino_processes(start_stack: StartStack) -> None:
    """Row E1. Pitfall 9."""
    first = start_stack()
    second = start_stack(like=first)
    session = first.session()
    content = session.who()

    async def both() -> list[int]:
        async with ParallelSigningClient(first.casino) as one, ParallelSigningClient(second.casino) as two:
            nonce = new_id().replace("-", "")
            calls = [
                (client, client.signer.prepare("POST", "/casino/getBalance", content, nonce=nonce))
                for client in (one, two)
            ]
            answers = await asyncio.gather(*(client.http.send(signed.request) for client, signed in calls))
            return sorted(answer.status_code for answer in answers)

    assert [asyncio.run(both()) for _ in range(20)] == [[200, 401]] * 20
