"""Protocol section 3: the feed that reconciliation reads, page by page, in commit order, skipping nothing."""

import asyncio
import hashlib
import json
import time
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from e2e_testing.answers import Answer
from e2e_testing.database import Database
from e2e_testing.game_session import GameSession, JsonObject, new_id
from e2e_testing.signing_client import ParallelSigningClient
from e2e_testing.stack import Stack
from shared_service_testing.waiting import wait_until

PAGE_MAX = 1000
PAGES_MAX = 200
VISIBLE_SECONDS = 60.0
COMMON_FIELDS = {
    "transactionId", "userId", "roundId", "type", "amount", "currency", "state", "balanceAfter", "at", "head",
}  # fmt: skip


def page(stack: Stack, *, after: object = None, limit: object = None) -> Answer:
    query = "&".join(
        f"{name}={quote(str(value))}" for name, value in (("after", after), ("limit", limit)) if value is not None
    )
    return stack.wallet.get("/casino/transactions" + (f"?{query}" if query else ""))


def pages(stack: Stack, *, after: object = 0, limit: int = PAGE_MAX) -> Iterator[Answer]:
    """Pages until an empty one."""
    for _ in range(PAGES_MAX):
        answer = page(stack, after=after, limit=limit).must_be_ok()
        yield answer
        if not answer.content["transactions"]:
            return
        after = answer.content["next"]
    raise AssertionError(f"more than {PAGES_MAX} pages")


def everything(stack: Stack, *, limit: int = PAGE_MAX) -> list[JsonObject]:
    return [row for answer in pages(stack, limit=limit) for row in answer.content["transactions"]]


def of_player(stack: Stack, session: GameSession, *, ids: set[str]) -> list[JsonObject]:
    """The player's rows once all these ids are there: a row is shown when nothing older can still commit."""

    def look() -> list[JsonObject] | None:
        rows = [row for row in everything(stack) if row["userId"] == session.user_id]
        return rows if ids <= {str(row["transactionId"]) for row in rows} else None

    rows = wait_until(look, f"never shown: {ids}")
    assert rows
    return rows


def test_the_feed_tells_each_transaction_as_the_contract_says(stack: Stack, session: GameSession) -> None:
    start, bet, win, back = session.balance(), session.bet(), new_id(), new_id()
    undone = session.bet(round_id=bet.round_id)
    session.rollback(undone.transaction_id, round_id=bet.round_id, transaction_id=back).must_be_ok()
    paid = session.credit(2500, round_id=bet.round_id, related=bet.transaction_id, transaction_id=win).must_be_ok()
    ids = [bet.transaction_id, undone.transaction_id, back, win]
    rows = [row for row in of_player(stack, session, ids=set(ids)) if row["transactionId"] in ids]
    assert [row["transactionId"] for row in rows] == ids, "in commit order"
    told = [(row["type"], row["amount"], row["state"], row["balanceAfter"]) for row in rows]
    assert [(kind, int(str(amount)), state, balance) for kind, amount, state, balance in told] == [
        ("debit", 1000, "settled", str(start - 1000)),
        ("debit", 1000, "rolled_back", str(start - 2000)),
        ("rollback", 1000, "committed", str(start - 1000)),
        ("credit", 2500, "committed", str(start + 1500)),
    ]
    assert set(rows[0]) == set(rows[1]) == COMMON_FIELDS
    assert (set(rows[2]) - COMMON_FIELDS, rows[2]["originalTransactionId"]) == (
        {"originalTransactionId"},
        undone.transaction_id,
    )
    assert (set(rows[3]) - COMMON_FIELDS, rows[3]["relatedTransactionId"]) == (
        {"relatedTransactionId"},
        bet.transaction_id,
    )
    assert {(row["roundId"], row["currency"]) for row in rows} == {(bet.round_id, "USD")}
    assert rows[3]["head"] == paid.content["head"]


def test_a_tombstone_is_in_the_feed_with_amount_zero(stack: Stack, session: GameSession) -> None:
    back, original = new_id(), new_id()
    session.rollback(original, round_id=new_id(), transaction_id=back).must_be_ok()
    rows = of_player(stack, session, ids={back})
    row = next(row for row in rows if row["transactionId"] == back)
    assert (row["type"], int(str(row["amount"])), row["originalTransactionId"]) == ("rollback", 0, original)


def test_small_pages_make_up_the_same_feed_as_large_ones(stack: Stack, session: GameSession) -> None:
    anchor = list(pages(stack))[-1].content["next"]
    ids = {session.bet().transaction_id for _ in range(7)}
    of_player(stack, session, ids=ids)
    small = [row for answer in pages(stack, after=anchor, limit=2) for row in answer.content["transactions"]]
    large = [row for answer in pages(stack, after=anchor) for row in answer.content["transactions"]]
    assert small == large
    assert ids <= {str(row["transactionId"]) for row in small}


def test_a_page_has_no_more_rows_than_its_limit(stack: Stack, session: GameSession) -> None:
    of_player(stack, session, ids={session.bet().transaction_id for _ in range(3)})
    assert len(page(stack, after=0, limit=1).must_be_ok().content["transactions"]) == 1
    assert len(page(stack, after=0, limit=2).must_be_ok().content["transactions"]) == 2


def test_after_the_newest_row_a_page_is_empty_and_its_cursor_goes_on_working(
    stack: Stack, session: GameSession
) -> None:
    of_player(stack, session, ids={session.bet().transaction_id})
    last = list(pages(stack))[-1].content
    assert last["transactions"] == []
    new = session.bet().transaction_id
    of_player(stack, session, ids={new})
    later = page(stack, after=last["next"], limit=PAGE_MAX).must_be_ok().content["transactions"]
    assert new in [row["transactionId"] for row in later]


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "ten", "1.5", "1e2"])
def test_a_limit_that_is_not_1_to_1000_is_refused(stack: Stack, limit: str) -> None:
    answer = page(stack, after=0, limit=limit)
    assert (answer.verdict, answer.content["field"]) == ((400, "invalid_field"), "limit")


@pytest.mark.parametrize("after", ["-1", "yesterday", "1.5", "99999999999999999999999999", "0x10"])
def test_a_cursor_that_the_feed_never_gave_is_refused(stack: Stack, after: str) -> None:
    answer = page(stack, after=after)
    assert (answer.verdict, answer.content["field"]) == ((400, "invalid_field"), "after")


def test_after_and_limit_may_be_left_out(stack: Stack, session: GameSession) -> None:
    of_player(stack, session, ids={session.bet().transaction_id})
    assert (
        page(stack).must_be_ok().content["transactions"] == (page(stack, after=0).must_be_ok().content["transactions"])
    )


def test_a_row_that_commits_late_is_not_skipped(stack: Stack, database: Database) -> None:
    """The worst case, made to happen: a bet that was begun before others and commits after a reader has passed them."""
    slow, quick = stack.session(), stack.session()
    of_player(stack, quick, ids={quick.bet().transaction_id})
    cursor = list(pages(stack))[-1].content["next"]
    late = slow.debit_content()
    command = {
        "kind": "debit",
        "tokenHash": hashlib.sha256(slow.token.encode()).hexdigest(),
        "playerId": slow.user_id,
        "transactionId": late["transactionId"],
        "roundId": late["roundId"],
        "amount": late["amount"],
        "requestId": "a-slow-batch",
        "signedBy": "main",
    }
    with database.connect(autocommit=False) as connection:
        statement = b"select * from casino.execute_wallet_commands(1, %(commands)s::jsonb)"
        connection.execute(statement, {"commands": json.dumps([command])})
        early = [quick.bet().transaction_id for _ in range(3)]
        seen = [row for answer in pages(stack, after=cursor) for row in answer.content["transactions"]]
        after_reading = list(pages(stack, after=cursor))[-1].content["next"]
        connection.commit()
    deadline = time.monotonic() + VISIBLE_SECONDS
    wanted = {str(late["transactionId"]), *early}
    while not wanted <= {str(row["transactionId"]) for row in seen} and time.monotonic() < deadline:
        answer = page(stack, after=after_reading, limit=PAGE_MAX).must_be_ok()
        seen += answer.content["transactions"]
        after_reading = answer.content["next"]
    ids = [str(row["transactionId"]) for row in seen]
    assert wanted <= set(ids), "the cursor passed a row before it was committed"
    assert len(ids) == len(set(ids))


def test_the_feed_tells_only_what_providers_did(stack: Stack, session: GameSession) -> None:
    of_player(stack, session, ids={session.bet().transaction_id})
    assert {row["type"] for row in everything(stack)} <= {"debit", "credit", "rollback"}


@pytest.mark.anyio
@pytest.mark.slow
async def test_a_reader_that_follows_many_writers_skips_nothing_and_sees_nothing_twice(stack: Stack) -> None:
    sessions = [stack.session() for _ in range(8)]
    written: list[str] = []

    async def write(client: ParallelSigningClient, session: GameSession) -> None:
        for _ in range(40):
            content = session.debit_content()
            answer = await client.post("/casino/debit", content)
            if answer.status == 200:
                written.append(str(content["transactionId"]))

    async def read(client: ParallelSigningClient, cursor: object, until: asyncio.Event) -> list[JsonObject]:
        """Follow the feed; once the writers are done, until everything is seen or time is up."""
        seen: list[JsonObject] = []
        deadline = 0.0
        while not deadline or time.monotonic() < deadline:
            answer = await client.get(f"/casino/transactions?after={quote(str(cursor))}&limit=7")
            rows = answer.must_be_ok().content["transactions"]
            seen += rows
            cursor = answer.content["next"]
            if until.is_set() and not rows:
                if set(written) <= {str(row["transactionId"]) for row in seen}:
                    break
                deadline = deadline or time.monotonic() + VISIBLE_SECONDS
            await asyncio.sleep(0)
        return seen

    cursor, done = list(pages(stack))[-1].content["next"], asyncio.Event()
    async with ParallelSigningClient(stack.casino) as client:
        reader = asyncio.create_task(read(client, cursor, done))
        await asyncio.gather(*(write(client, session) for session in sessions))
        done.set()
        seen = await reader
    ids = [str(row["transactionId"]) for row in seen]
    assert len(written) > 100
    assert set(written) <= set(ids), "a cursor skipped a row that committed late"
    assert len(ids) == len(set(ids)), "a row was seen twice"
    for session in sessions:
        balances = [int(str(row["balanceAfter"])) for row in seen if row["userId"] == session.user_id]
        assert balances == sorted(balances, reverse=True), "a wallet's rows are in the order of its balances"
