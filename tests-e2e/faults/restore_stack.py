"""Servers that are backed up, lost and restored, play beside them, and the feed as a reader of it sees it."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from e2e_testing.both_books import wait_until_settled
from e2e_testing.database import Database, with_database
from e2e_testing.postgres_faults import fixed_server, wait_until_gone
from e2e_testing.service_process import full_environment
from e2e_testing.stack import Stack, demo_environment, own_stack
from faults.backup_commands import at_the_server
from faults.failover import show
from faults.failover_stack import MixedRounds
from faults.faulty_stack import FAST_PROVIDER
from faults.postgres_standby import wait_for_answer
from local_stack.account import server_account
from local_stack.cluster import give_to, place_cluster, remove_cluster
from local_stack.postgres import Postgres
from local_stack.testing import database_urls
from shared_service_testing.waiting import wait_until

PLAYERS = 4
PAGE_ROWS = 100
ANSWERED_BADLY = """
    select status, code, count(*) as count from provider.wallet_attempts
    where attempt_id > %(after)s and status >= 500 group by status, code
"""
NEWEST_ATTEMPT = "select coalesce(max(attempt_id), 0) as newest from provider.wallet_attempts"
FED = "select transaction_id from casino.transactions where feed_position is not null order by feed_position"
OUT_OF_ORDER = """
    select wallet_id from (
        select wallet_id, feed_position, lag(feed_position) over (partition by wallet_id order by sequence_no) as before
        from casino.transactions where sequence_no is not null and feed_position is not null
    ) as told where before > feed_position
"""


@dataclass(slots=True)
class Drill:
    """Where everything is, and what was seen of the server that is lost."""

    work: Path
    backup: Path
    wal: Path
    resources: ExitStack
    moment: str = ""
    cursors: dict[str, str] = field(default_factory=dict)
    servers: list[Postgres] = field(default_factory=list)

    def server(self, name: str) -> Postgres:
        """A server at an address of its own, removed in the end; not started. All have the first one's passwords."""
        server = fixed_server(self.work / name)
        self.resources.callback(_remove, server)
        if self.servers:
            shutil.copytree(self.servers[0].state_dir / "passwords", server.state_dir / "passwords")
        self.servers.append(server)
        return server

    def dump_of(self, database: str) -> Path:
        """A folder of its own for the dump of each side."""
        folder = self.backup / database
        if not folder.exists():
            folder.mkdir(mode=0o700)
            give_to(server_account(), folder)
        return folder

    @contextmanager
    def services(self, casino: Postgres, provider: Postgres) -> Iterator[Stack]:
        """Both services, ready; the casino's and the provider's books may lie on different servers."""
        settings = FAST_PROVIDER | database_urls("provider", books_url(provider, "provider"))
        stack = own_stack(Database(books_url(casino, "casino")), self.work, provider_settings=settings)
        try:
            yield stack
        finally:
            stack.close()


def books_url(server: Postgres, database: str) -> str:
    return with_database(server.url(), database)


@contextmanager
def drill() -> Iterator[Drill]:
    work = Path(tempfile.mkdtemp(prefix="restore-"))
    backup = Path(tempfile.mkdtemp(prefix="backup-"))
    with ExitStack() as resources:
        for folder in (work, backup):
            resources.callback(shutil.rmtree, folder, ignore_errors=True)
        wal = backup / "wal"
        wal.mkdir(mode=0o700)
        for folder in (backup, wal):
            give_to(server_account(), folder)
        yield Drill(work, backup, wal, resources)


def play(stack: Stack, books: Database, seconds: float) -> int:
    """Rounds of every shape, by new sessions; every call must be answered as if nothing had ever happened."""
    after = books.row(NEWEST_ATTEMPT)["newest"]
    sessions = [stack.session(balance_minor=100_000_000) for _ in range(PLAYERS)]
    with MixedRounds(stack, sessions) as rounds:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline or rounds.answered < PLAYERS:
            assert not rounds.interrupted, "a round was refused"
            time.sleep(0.05)
    assert not rounds.interrupted, "a round was refused"
    wait_until_settled(books)
    bad = books.rows(ANSWERED_BADLY, after=after)
    assert not bad, f"the wallet answered badly: {bad}"
    return rounds.answered


def read_feed(stack: Stack, after: str = "0") -> tuple[list[str], str]:
    """Every transaction behind a cursor, and the cursor behind the last one, as a reader of the feed gets them."""
    ids: list[str] = []
    while True:
        page = stack.wallet.get(f"/casino/transactions?after={after}&limit={PAGE_ROWS}").must_be_ok().content
        if not page["transactions"]:
            return ids, after
        ids += [row["transactionId"] for row in page["transactions"]]
        after = page["next"]


def restored_from_base(the: Drill, name: str, *, moment: str = "") -> Postgres:
    server, started = the.server(name), time.monotonic()
    place_cluster(server.state_dir, server_account())
    data = server.data_dir.parent.resolve() / "data"
    data.mkdir(mode=0o700)
    give_to(server_account(), data)
    at_the_server(server, "restore base", BACKUP=the.backup, WAL=the.wal, DATA=data)
    if moment:
        at_the_server(server, "until", DATA=data, UNTIL=moment)
    server.start()
    wait_for_answer(server, "select pg_is_in_recovery()::text", "false")
    show("seconds until the restored server took writes", f"{time.monotonic() - started:.1f}")
    return server


def whole_feed(stack: Stack) -> list[str]:
    """The feed from its beginning, once it shows everything that is written."""
    written = [row["transaction_id"] for row in stack.books.rows(FED)]
    wait_until(lambda: len(read_feed(stack)[0]) == len(written), "the feed never shows all that is written")
    fed, _ = read_feed(stack)
    assert fed == written, "the feed does not hold every row once and in order"
    return fed


def require_no_gap(stack: Stack, restored: list[str], cursors: list[str]) -> None:
    fed = whole_feed(stack)
    assert fed[: len(restored)] == restored
    assert not stack.books.rows(OUT_OF_ORDER), "a wallet's rows stand in another order than they were booked in"
    for cursor in cursors:
        later, _ = read_feed(stack, cursor)
        assert later == fed[len(fed) - len(later) :]
        assert set(fed[len(restored) :]) <= set(later), f"a reader with the cursor {cursor} misses rows"
    show("rows of the feed, and those after the restore", f"{len(fed)}, {len(fed) - len(restored)}")


def service_environment(casino: Postgres, provider: Postgres) -> dict[str, str]:
    nobody = "http://127.0.0.1:1"
    own = demo_environment(Database(books_url(casino, "casino")), casino_url=nobody, provider_url=nobody)
    return full_environment(own | database_urls("provider", books_url(provider, "provider")))


def _remove(server: Postgres) -> None:
    server.stop("immediate")
    wait_until_gone(server)
    remove_cluster(server.state_dir)
