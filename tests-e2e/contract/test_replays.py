"""Protocol section 4 (2): the same id with the same content answers as at first, with other content 422.

casino-service/tests/wallet/ has every kind of content and of change in between.
"""

import json
import time
from collections.abc import Iterator

import pytest

from e2e_testing.answers import Answer
from e2e_testing.database import Database
from e2e_testing.game_session import GameSession, JsonObject, new_id
from e2e_testing.signing_client import AHEAD_SECONDS
from e2e_testing.stack import Stack, StartStack

STORED_AMOUNT = 4321
TOLD_TO_NOBODY = {"amount", "roundId", "relatedTransactionId", "originalTransactionId", "sessionToken"}


def require_replay(answer: Answer, first: Answer) -> None:
    assert first.is_replay is False
    assert (answer.status, answer.body) == (first.status, first.body)
    assert answer.is_replay, "a replay says so in its header"
    assert answer.headers["content-type"] == first.headers["content-type"]


@pytest.fixture
def commands(session: GameSession) -> dict[str, tuple[str, JsonObject]]:
    """One accepted command of every kind, in the order in which they are played."""
    bet, dead = session.debit_content(STORED_AMOUNT), session.debit_content()
    round_id, dead_round = str(bet["roundId"]), str(dead["roundId"])
    undo = session.rollback_content(str(dead["transactionId"]), round_id=dead_round)
    undo_again = session.rollback_content(str(dead["transactionId"]), round_id=dead_round)
    tombstone = session.rollback_content(new_id(), round_id=round_id)
    win = session.credit_content(3000, round_id=round_id, related=str(bet["transactionId"]), endRound=True)
    return {
        "bet": ("debit", bet),
        "dead bet": ("debit", dead),
        "rollback": ("rollback", undo),
        "second rollback": ("rollback", undo_again),
        "tombstone": ("rollback", tombstone),
        "win": ("credit", win),
    }


def test_every_kind_of_command_replays_byte_for_byte_although_its_session_has_expired(
    session: GameSession, database: Database, commands: dict[str, tuple[str, JsonObject]]
) -> None:
    first = {name: session.post(endpoint, content) for name, (endpoint, content) in commands.items()}
    assert {name: answer.status for name, answer in first.items()} == dict.fromkeys(commands, 200)
    after = session.balance()
    database.change(
        "update casino.game_sessions set expires_at = now() - interval '1 minute' where player_id = %(player)s",
        player=session.user_id,
    )
    for name, (endpoint, content) in commands.items():
        backwards = dict(reversed(content.items())) | {"unknown": 1, "reason": "not part of the content"}
        require_replay(session.post(endpoint, backwards), first[name])
    held = database.row("select balance_minor from casino.wallets where player_id = %(player)s", player=session.user_id)
    assert held["balance_minor"] == after


def test_a_refusal_for_want_of_money_is_remembered_after_a_top_up(stack: Stack) -> None:
    poor = stack.session(balance_minor=1500)
    content = poor.debit_content(2000)
    first = poor.post("debit", content)
    assert first.verdict == (402, "insufficient_balance")
    earlier = poor.bet(1000)
    poor.credit(50_000, round_id=earlier.round_id, related=earlier.transaction_id).must_be_ok()
    require_replay(poor.post("debit", content), first)
    assert poor.balance() == 50_500, "a later top-up never makes an old bet succeed"
    assert poor.debit(2000).status == 200, "a new id is a new bet"


@pytest.mark.slow
def test_replays_and_refusals_survive_a_restart_of_the_casino(start_stack: StartStack) -> None:
    stack = start_stack()
    session, poor = stack.session(), stack.session(balance_minor=500)
    bet, refused = session.debit_content(), poor.debit_content(1000)
    undo = session.rollback_content(new_id(), round_id=str(bet["roundId"]))
    first = [session.post("debit", bet), session.post("rollback", undo), poor.post("debit", refused)]
    assert [answer.status for answer in first] == [200, 200, 402]
    ahead = int(time.time()) + AHEAD_SECONDS
    spent = session.wallet.signer.prepare("POST", "/casino/getBalance", session.who(), timestamp=ahead)
    assert session.wallet.send(spent).status == 200
    for end in (stack.casino_process.stop, stack.casino_process.kill_9):
        end()
        stack.casino_process.restart()
        again = [session.post("debit", bet), session.post("rollback", undo), poor.post("debit", refused)]
        for answer, original in zip(again, first, strict=True):
            require_replay(answer, original)
        assert session.wallet.send(spent).verdict == (401, "nonce_replay"), "the nonce store survives a restart"


def changes(session: GameSession, commands: dict[str, tuple[str, JsonObject]]) -> Iterator[tuple[str, JsonObject, str]]:
    """Endpoint, content under a used id, and the field that must be named."""
    (_, bet), (_, win), (_, undo) = commands["bet"], commands["win"], commands["rollback"]
    yield "debit", bet | {"amount": STORED_AMOUNT + 1}, "amount"
    yield "debit", bet | {"roundId": new_id()}, "roundId"
    yield "debit", bet | {"amount": 100_001}, "amount"  # above the largest stake: the used id is the news
    yield "credit", win | {"relatedTransactionId": new_id()}, "relatedTransactionId"
    yield "rollback", undo | {"originalTransactionId": new_id()}, "originalTransactionId"
    yield "debit", session.debit_content(transaction_id=str(win["transactionId"])), "endpoint"
    yield "credit", win | {"transactionId": bet["transactionId"]}, "endpoint"
    yield "rollback", undo | {"transactionId": bet["transactionId"]}, "endpoint"


@pytest.mark.provokes("idempotency_mismatch")
def test_a_used_id_with_other_content_names_the_field_and_tells_no_value(
    session: GameSession, commands: dict[str, tuple[str, JsonObject]]
) -> None:
    """Row B8."""
    for endpoint, content in commands.values():
        session.post(endpoint, content).must_be_ok()
    before = session.balance()
    stored = {str(content[name]) for _, content in commands.values() for name in TOLD_TO_NOBODY & content.keys()}
    for endpoint, content, field in changes(session, commands):
        answer = session.post(endpoint, content)
        assert (answer.verdict, answer.content["field"]) == ((422, "idempotency_mismatch"), field)
        said = json.dumps(answer.content | {"requestId": ""})
        assert not [value for value in stored if value in said]
    assert session.balance() == before
