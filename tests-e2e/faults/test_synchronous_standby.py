"""A synchronous standby that is away, and a wait for it that is cancelled: unknown, never success.

Row A7. Postgres reports a commit as successful, with a warning, when the wait for its standby is cancelled: the commit
is on the primary alone, and a failover would undo an answer that was given. The services must not give it.
"""

import threading
from collections.abc import Callable, Iterator

import pytest

from e2e_testing.answers import Answer
from e2e_testing.both_books import require_agreement
from e2e_testing.fault import Call, Fault, Gate
from e2e_testing.game_session import JsonObject
from e2e_testing.postgres_faults import frozen
from e2e_testing.signing_client import SigningClient
from e2e_testing.wallet_proxy import WalletProxy
from faults.faulty_stack import PATIENT_PROVIDER, FaultyStack, step_of
from faults.postgres_stack import PostgresStack, running_server, stack_on
from faults.postgres_standby import KEEP_WAL, running_standby, synchronise
from local_stack.ports import free_port
from local_stack.postgres import Postgres
from shared_service_testing.waiting import WAIT_SECONDS_MAX, wait_until

pytestmark = pytest.mark.slow

CANCEL_WAITS = """
    select pg_cancel_backend(pid) as done from pg_stat_activity
    where wait_event = 'SyncRep' and application_name = %(service)s
"""


@pytest.fixture(scope="module")
def casino_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def proxy(casino_port: int) -> Iterator[WalletProxy]:
    with WalletProxy(casino_port) as running:
        yield running


@pytest.fixture(scope="module")
def replicated(
    proxy: WalletProxy, casino_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[PostgresStack, Postgres]]:
    settings = PATIENT_PROVIDER | {"CASINO_URL": proxy.url}
    with (
        running_server(tmp_path_factory.mktemp("primary"), settings=KEEP_WAL) as primary,
        stack_on(
            primary, tmp_path_factory.mktemp("logs"), provider_settings=settings, casino_port=casino_port
        ) as faulty,
        running_standby(primary, tmp_path_factory.mktemp("standby")) as standby,
    ):
        synchronise(primary)
        yield faulty, standby
        synchronise(primary, on=False)


class Waiting:
    """One signed call in a thread."""

    def __init__(self, faulty: PostgresStack, endpoint: str, content: JsonObject) -> None:
        self._client: SigningClient = faulty.stack.signing_client(faulty.stack.casino)
        self._sent = self._client.signer.prepare("POST", f"/casino/{endpoint}", content)
        self._answer: Answer | None = None
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        self._answer = self._client.send(self._sent)

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def answer(self) -> Answer:
        self._thread.join(WAIT_SECONDS_MAX)
        assert self._answer is not None, "no answer"
        return self._answer


def cancel_waits(faulty: PostgresStack, service: str, *, until_over: Callable[[], bool]) -> int:
    """What an impatient administrator does: cancel whoever waits for the standby. Answers how many waits it were."""
    cancelled = 0

    def cancel() -> bool:
        nonlocal cancelled
        cancelled += sum(row["done"] for row in faulty.database.rows(CANCEL_WAITS, service=service))
        return until_over()

    wait_until(cancel, lambda: f"it never ended, although {cancelled} waits were cancelled")
    return cancelled


def test_a_bet_whose_wait_for_the_standby_is_cancelled_is_unknown_until_the_standby_has_it(
    replicated: tuple[PostgresStack, Postgres],
) -> None:
    """Row A7. The casino asks again by itself, and what it finds then must not be told either."""
    faulty, standby = replicated
    session = faulty.sessions(1)[0]
    bet = session.debit_content()
    with frozen(standby):
        waiting = Waiting(faulty, "debit", bet)
        cancelled = cancel_waits(faulty, "casino", until_over=lambda: waiting.is_over)
        answer = waiting.answer()
        booked = transactions_of(faulty, session.user_id)
    assert cancelled > 0, "nobody waited for the standby: nothing was tried"
    assert booked == 1, "the primary shows the bet, as Postgres does when a wait is cancelled"
    assert answer.verdict == (500, "internal"), "wrongly acknowledged"
    first = session.post("debit", bet).must_be_ok()
    assert first.is_replay
    assert session.balance() == session.opening_balance_minor - 1000


def test_a_nonce_whose_wait_for_the_standby_is_cancelled_lets_nothing_through(
    replicated: tuple[PostgresStack, Postgres],
) -> None:
    """Row A7. A call whose nonce has a commit of its own: 503, and the caller may come again at once."""
    faulty, standby = replicated
    session = faulty.sessions(1)[0]
    question = session.who()
    with frozen(standby):
        waiting = Waiting(faulty, "getBalance", question)
        cancelled = cancel_waits(faulty, "casino", until_over=lambda: waiting.is_over)
        answer = waiting.answer()
    assert cancelled > 0, "nobody waited for the standby: nothing was tried"
    assert answer.verdict == (503, "overloaded")
    assert session.balance() == session.opening_balance_minor


def test_an_intent_whose_wait_for_the_standby_is_cancelled_is_not_sent(
    replicated: tuple[PostgresStack, Postgres], proxy: WalletProxy
) -> None:
    """Row A7. The provider must not call the wallet for a bet that a failover could make it forget."""
    faulty, standby = replicated
    noisy, session, gate, sent = FaultyStack(faulty.stack, proxy), faulty.sessions(1)[0], Gate(), list[str]()

    def is_sent(call: Call) -> bool:
        sent.append(call.endpoint)
        return False

    noisy.add_fault(is_sent, Fault())
    noisy.add_fault(step_of(session, "getBalance"), Fault(hold_after=gate))
    playing = noisy.start_round(session)
    gate.wait_for_arrival()
    with frozen(standby):
        gate.open()
        cancelled = cancel_waits(faulty, "provider", until_over=lambda: playing.is_over)
        assert cancelled > 0, "nobody waited for the standby: nothing was tried"
        assert "debit" not in sent
    playing.wait()
    require_agreement(faulty.database)
    assert not playing.passed
    assert session.balance() == session.opening_balance_minor


def transactions_of(faulty: PostgresStack, player: str) -> int:
    row = faulty.database.row(
        "select count(*) as count from casino.transactions join casino.wallets using (ledger_id, wallet_id)"
        " where player_id = %(player)s and kind in ('debit', 'credit', 'rollback')",
        player=player,
    )
    count: int = row["count"]
    return count
