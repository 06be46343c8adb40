"""Many callers at the same few wallets, at two casino processes: no deadlock, no starvation, one end for each race."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from e2e_testing.answers import Answer, Peer
from e2e_testing.books import require_sound_books
from e2e_testing.database import Database
from e2e_testing.game_session import GameSession, JsonObject, new_id
from e2e_testing.signing_client import ParallelSigningClient
from faults.faulty_stack import FaultyStack
from faults.two_casinos import TwoCasinos, two_casinos
from local_stack.testing import PostgresServer
from shared_service_testing.sampling import IS_NIGHTLY
from shared_service_testing.waiting import WAIT_SECONDS_MAX

pytestmark = pytest.mark.slow

CLIENTS = 50
WALLETS = 3
BETS_OF_EACH = 2
RETRY_SECONDS = 0.02
RACE_SECONDS = 18.0 if IS_NIGHTLY else 2.0
RACE_SECONDS_MAX = 120.0
RACES_MAX = 10_000
RACES_MIN = 200
RACERS = 12
HEAD_STARTS_SECONDS = (0.0, 0.0, 0.0005, 0.001, 0.002)


@pytest.fixture(scope="module")
def pair(server: PostgresServer, template: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoCasinos]:
    with two_casinos(server, template, tmp_path_factory.mktemp("storms")) as both:
        yield both
        require_sound_books(both.faulty.database)


class Caller:
    """Asks one of the two processes, and again while the wallet is busy, as every caller does; counts the retries."""

    def __init__(self, clients: tuple[ParallelSigningClient, ParallelSigningClient]) -> None:
        self.clients = clients
        self.retries: list[int] = []
        self.statuses: Counter[int] = Counter()

    async def ask(self, which: int, endpoint: str, content: JsonObject) -> Answer:
        deadline, tried = time.monotonic() + WAIT_SECONDS_MAX, 0
        while True:
            answer = await self.clients[which % 2].post(f"/casino/{endpoint}", content)
            self.statuses[answer.status] += 1
            if answer.status not in (409, 503):
                self.retries.append(tried)
                return answer
            tried += 1
            assert time.monotonic() < deadline, f"{endpoint} starved: busy {tried} times"
            await asyncio.sleep(RETRY_SECONDS)


def clients_of(peers: tuple[Peer, Peer]) -> tuple[ParallelSigningClient, ParallelSigningClient]:
    return ParallelSigningClient(peers[0]), ParallelSigningClient(peers[1])


def deadlocks(faulty: FaultyStack) -> int:
    row = faulty.database.row("select deadlocks from pg_stat_database where datname = current_database()")
    return int(row["deadlocks"])


@pytest.mark.anyio
async def test_fifty_clients_on_three_wallets_in_opposing_orders_neither_deadlock_nor_starve(pair: TwoCasinos) -> None:
    """Row A13. Each client goes over the wallets in its own order: bets, wins and rollbacks, at both processes."""
    seed = random.randrange(2**32)
    sessions = [pair.faulty.stack.session() for _ in range(WALLETS)]

    async def client(number: int, caller: Caller) -> None:
        rng = random.Random(f"{seed}/{number}")
        order = sessions if number % 2 else sessions[::-1]
        for turn in range(BETS_OF_EACH):
            for place, session in enumerate(order):
                await one_round(caller, number + turn + place, session, rng)

    first, second = clients_of(pair.peers)
    async with first, second:
        caller = Caller((first, second))
        await asyncio.gather(*(client(number, caller) for number in range(CLIENTS)))
    assert set(caller.statuses) <= {200, 409, 503}, f"seed {seed}: {caller.statuses}"
    assert len(caller.retries) == 2 * CLIENTS * BETS_OF_EACH * WALLETS, "everybody was served in the end"
    assert deadlocks(pair.faulty) == 0, f"seed {seed}"
    assert [session.balance() for session in sessions] == [session.opening_balance_minor for session in sessions]


async def one_round(caller: Caller, which: int, session: GameSession, rng: random.Random) -> None:
    """A bet that is won back to the cent or taken back: in the end nothing has moved."""
    bet, round_id = new_id(), new_id()
    debit = session.debit_content(transaction_id=bet, round_id=round_id)
    (await caller.ask(which, "debit", debit)).must_be_ok()
    if rng.random() < 0.5:
        credit = session.credit_content(1000, round_id=round_id, related=bet)
        (await caller.ask(which + 1, "credit", credit)).must_be_ok()
    else:
        (await caller.ask(which + 1, "rollback", session.rollback_content(bet, round_id=round_id))).must_be_ok()


@pytest.mark.anyio
async def test_a_bet_and_its_rollback_at_two_processes_at_once_end_in_one_of_two_ways(pair: TwoCasinos) -> None:
    """Row B4. Both go off together, on two connections, at two processes: nothing but the database decides."""
    seed = random.randrange(2**32)
    sessions = [pair.faulty.stack.session() for _ in range(RACERS)]
    started = time.monotonic()

    async def race(caller: Caller, session: GameSession, rng: random.Random) -> str:
        bet, round_id = new_id(), new_id()
        debit = session.debit_content(transaction_id=bet, round_id=round_id)
        rollback = session.rollback_content(bet, round_id=round_id)
        which, late = rng.randrange(2), rng.choice(HEAD_STARTS_SECONDS)
        starts = [late, 0.0] if rng.random() < 0.5 else [0.0, late]
        gate = asyncio.Event()

        async def go(at: int, endpoint: str, content: JsonObject, after_seconds: float) -> Answer:
            await gate.wait()
            if after_seconds:
                await asyncio.sleep(after_seconds)
            return await caller.ask(at, endpoint, content)

        tasks = [
            asyncio.create_task(go(which, "debit", debit, starts[0])),
            asyncio.create_task(go(which + 1, "rollback", rollback, starts[1])),
        ]
        await asyncio.sleep(0)
        gate.set()
        return end_of(*await asyncio.gather(*tasks))

    async def racer(number: int, caller: Caller) -> list[str]:
        rng, ends = random.Random(f"{seed}/{number}"), list[str]()
        while len(ends) < RACES_MAX // RACERS and time.monotonic() < started + RACE_SECONDS_MAX:
            if time.monotonic() > started + RACE_SECONDS and len(ends) > RACES_MIN // RACERS:
                break
            ends.append(await race(caller, sessions[number], rng))
        return ends

    first, second = clients_of(pair.peers)
    async with first, second:
        caller = Caller((first, second))
        of_racers = await asyncio.gather(*(racer(number, caller) for number in range(RACERS)))
    ends = Counter(end for of_racer in of_racers for end in of_racer)
    print(f"seed {seed}: {dict(ends)}")
    assert set(ends) == {"debit, then reversal", "tombstone, then refusal"}, f"seed {seed}: {ends}"
    assert ends.total() >= RACES_MIN, f"too few races to mean anything: {ends}"
    assert [session.balance() for session in sessions] == [session.opening_balance_minor for session in sessions]


def end_of(debit: Answer, rollback: Answer) -> str:
    tombstone = rollback.content.get("tombstone")
    if debit.status == 200 and rollback.status == 200 and not tombstone:
        return "debit, then reversal"
    if debit.verdict == (400, "transaction_rolled_back") and rollback.status == 200 and tombstone:
        return "tombstone, then refusal"
    return f"impossible: {debit.status} {debit.body!r}, {rollback.status} {rollback.body!r}"
