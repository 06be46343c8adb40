"""Protocol section 6: 409, 500 and 503, and that after each of them the same id has one effect."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager

import httpx
import pytest

from e2e_testing.answers import Answer, Peer
from e2e_testing.database import Database
from e2e_testing.game_session import GameSession
from e2e_testing.signing_client import ParallelSigningClient
from e2e_testing.stack import Stack, StartStack
from shared_service_testing.waiting import until, wait_until

BUSY_SECONDS_MAX = 60.0
"""Only against waiting for ever."""
PATIENCE_SECONDS = 1.5
"""Well below the two seconds for which the casino waits for a wallet."""
NEIGHBOURS = 5
TRIES_MAX = 8
"""For what a machine that just stood still cannot show."""


async def until_it_waits(stack: Stack, bet: asyncio.Task[Answer]) -> None:
    """Wait until a bet on a wallet that is held has come to the casino."""
    await until(lambda: bet.done() or stack.commands_under_way)
    assert not bet.done() or bet.result().verdict == (409, "session_busy")


async def answered_after_a_wait(bet: Callable[[], Coroutine[None, None, tuple[Answer, float]]]) -> Answer:
    """The answer to a bet that tells how long its wallet was held, too: busy only if that was too long to wait for."""
    for _ in range(TRIES_MAX):
        answer, held_seconds = await bet()
        if answer.status == 200:
            break
        assert answer.verdict == (409, "session_busy")
        assert held_seconds > PATIENCE_SECONDS, "it was not waited for"
    return answer


@pytest.fixture(scope="module")
def separate(start_module_stack: StartStack) -> Stack:
    """A stack of this module's own, whose services are stopped and lose their database."""
    return start_module_stack()


@contextmanager
def held_wallet(database: Database, session: GameSession) -> Iterator[None]:
    """Somebody else holds the wallet's row, as a long report or a stuck transaction would."""
    with database.transaction() as connection:
        connection.execute(
            "select 1 from casino.wallets where player_id = %(player)s for update", {"player": session.user_id}
        )
        yield


@pytest.mark.provokes("session_busy")
def test_a_wallet_that_somebody_holds_is_busy_and_the_same_id_succeeds_later(
    session: GameSession, database: Database
) -> None:
    start, content = session.balance(), session.debit_content()
    with held_wallet(database, session):
        started = time.monotonic()
        assert session.post("debit", content).verdict == (409, "session_busy")
        assert time.monotonic() - started < BUSY_SECONDS_MAX
    answer = session.post("debit", content).must_be_ok()
    assert answer.is_replay is False, "a busy answer recorded nothing"
    assert session.balance() == start - 1000


@pytest.mark.anyio
async def test_a_wallet_that_is_held_briefly_is_waited_for(
    stack: Stack, session: GameSession, database: Database
) -> None:
    async def bet_meanwhile() -> tuple[Answer, float]:
        """The answer, and for how long the wallet was held after the bet was sent."""
        async with ParallelSigningClient(stack.casino) as client:
            with held_wallet(database, session):
                asked_at = time.monotonic()
                bet = asyncio.create_task(client.post("/casino/debit", session.debit_content()))
                await until_it_waits(stack, bet)
                await asyncio.sleep(0.3)
            held_seconds = time.monotonic() - asked_at
            return await bet, held_seconds

    assert (await answered_after_a_wait(bet_meanwhile)).status == 200


@pytest.mark.anyio
async def test_a_held_wallet_does_not_hold_up_its_neighbours(
    stack: Stack, session: GameSession, database: Database
) -> None:
    neighbours = [stack.session() for _ in range(NEIGHBOURS)]

    async def are_all_undisturbed() -> bool:
        """Whether all neighbours' bets were answered while one on the held wallet, sent before them, still waited."""
        async with ParallelSigningClient(stack.casino) as client:
            stuck = asyncio.create_task(client.post("/casino/debit", session.debit_content()))
            await until_it_waits(stack, stuck)
            for neighbour in neighbours:
                (await client.post("/casino/debit", neighbour.debit_content())).must_be_ok()
            waits = not stuck.done()
            assert (await stuck).verdict == (409, "session_busy")
            return waits

    with held_wallet(database, session):
        for _ in range(TRIES_MAX):
            if await are_all_undisturbed():
                return
    pytest.fail("the neighbours waited each time")


def test_a_balance_can_be_read_while_the_wallet_is_held(session: GameSession, database: Database) -> None:
    start = session.balance()
    with held_wallet(database, session):
        assert session.balance() == start


@pytest.mark.anyio
@pytest.mark.provokes("overloaded")
@pytest.mark.slow
async def test_a_full_queue_is_refused_before_any_work(start_stack: StartStack) -> None:
    stack = start_stack(casino_settings={"CASINO_QUEUE_MAX": "4"})
    sessions = [stack.session() for _ in range(12)]
    contents = [session.debit_content() for session in sessions]

    async with ParallelSigningClient(stack.casino) as client:
        signed = [client.signer.prepare("POST", "/casino/debit", content) for content in contents]
        with stack.books.transaction() as connection:
            connection.execute("select 1 from casino.wallets for update")
            responses = await asyncio.gather(*(client.http.send(each.request) for each in signed))
    answers = [client.signer.judge(each, response) for each, response in zip(signed, responses, strict=True)]
    refused = [answer for answer in answers if answer.status == 503]
    assert refused, [answer.verdict for answer in answers]
    assert {answer.verdict for answer in answers} <= {(503, "overloaded"), (409, "session_busy")}
    for session, content in zip(sessions, contents, strict=True):
        assert session.post("debit", content).must_be_ok().is_replay is False, "nothing had happened"


@contextmanager
def lost_database(database: Database, server_url: str) -> Iterator[None]:
    """The database takes no connection and has dropped those it had."""
    server = Database(server_url)
    database.disconnect()
    server.rows(f'alter database "{database.name}" with allow_connections false')
    backends = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %(name)s"
    wait_until(lambda: not server.rows(backends, name=database.name), "the last connection is gone")
    try:
        yield
    finally:
        server.rows(f'alter database "{database.name}" with allow_connections true')
        server.disconnect()


def when_not_ready(stack: Stack, peer: Peer) -> httpx.Response:
    """The first answer that the service is not ready: it looks once a second."""

    def answered() -> httpx.Response | None:
        answer = stack.client.get(f"{peer.base_url}/health/ready")
        return answer if answer.status_code == 503 else None

    return wait_until(answered, f"{peer.base_url} said all the time that it was ready")


@pytest.mark.slow
def test_without_its_database_a_service_is_alive_not_ready_and_recovers_by_itself(
    separate: Stack, server: object
) -> None:
    stack = separate
    session = stack.session()
    start, content = session.balance(), session.debit_content()
    with lost_database(stack.books, server.url()):  # type: ignore[attr-defined]
        for peer in (stack.casino, stack.provider):
            assert stack.client.get(f"{peer.base_url}/health/live").status_code == 200
            ready = when_not_ready(stack, peer)
            assert "database" in ready.text.lower() or "postgres" in ready.text.lower(), "it says what is missing"
        answer = session.wallet.send(session.wallet.signer.prepare("POST", "/casino/debit", content))
        assert answer.status in (500, 503)
        launched = stack.launch(session.user_id)
        assert launched.status in (500, 503)
    for service in stack.services.values():
        service.wait_until_ready()
    wait_until(lambda: session.post("debit", content).status == 200, "the bet is taken")
    assert session.balance() == start - 1000


@pytest.mark.provokes("internal")
@pytest.mark.slow
def test_a_defect_inside_is_a_signed_500_that_tells_nothing_and_moves_nothing(separate: Stack) -> None:
    stack = separate
    session = stack.session()
    start, content = session.balance(), session.debit_content()
    stack.books.rows("alter table casino.postings rename to postings_gone")
    try:
        answer = session.post("debit", content)
    finally:
        stack.books.rows("alter table casino.postings_gone rename to postings")
    assert answer.verdict == (500, "internal")
    for word in ("postings", "relation", "psycopg", "Traceback", "select", session.user_id):
        assert word not in answer.content["error"]
    assert session.post("debit", content).must_be_ok().is_replay is False
    assert session.balance() == start - 1000


@pytest.mark.anyio
@pytest.mark.slow
async def test_a_casino_that_is_told_to_stop_answers_what_it_has_begun(separate: Stack) -> None:
    stack = separate
    session = stack.session()
    casino, start = stack.casino_process, session.balance()

    async def bet_while_it_stops() -> tuple[Answer, float]:
        """The answer, and for how long the wallet was held after the bet was sent."""
        async with ParallelSigningClient(stack.casino) as client:
            with held_wallet(stack.books, session):
                asked_at = time.monotonic()
                bet = asyncio.create_task(client.post("/casino/debit", session.debit_content()))
                await until_it_waits(stack, bet)
                stopping = asyncio.create_task(asyncio.to_thread(casino.stop))
                await asyncio.to_thread(wait_until, lambda: not casino.is_ready(), "it takes nothing new")
            held_seconds = time.monotonic() - asked_at
            answer = await bet
        assert await stopping in (0, -15), "a graceful stop, not a crash"
        casino.restart()
        return answer, held_seconds

    assert (await answered_after_a_wait(bet_while_it_stops)).must_be_ok().balance == start - 1000
