"""Protocol section 4 (2): the same content answers the first answer byte for byte, whatever has happened since."""

import time

import pytest

from e2e_testing.answers import Answer
from e2e_testing.database import Database
from e2e_testing.game_session import GameSession, JsonObject, new_id
from e2e_testing.signing_client import AHEAD_SECONDS
from e2e_testing.stack import Stack, StartStack


def require_replay(answer: Answer, first: Answer) -> None:
    assert first.is_replay is False
    assert (answer.status, answer.body) == (first.status, first.body)
    assert answer.is_replay, "a replay says so in its header"
    assert answer.headers["content-type"] == first.headers["content-type"]


def require_same_refusal(answer: Answer, first: Answer) -> None:
    """A remembered refusal: the same answer, and the header."""
    require_replay(answer, first)
    assert answer.code == first.code


def expire(database: Database, session: GameSession) -> None:
    """The clock strands the session: as if 31 minutes had passed without a call."""
    database.change(
        "update casino.game_sessions set expires_at = now() - interval '1 minute' where session_id = ("
        "select session_id from casino.game_sessions where player_id = %(player)s order by opened_at desc limit 1)",
        player=session.user_id,
    )


@pytest.fixture
def commands(session: GameSession) -> dict[str, tuple[str, JsonObject]]:
    """One accepted command of every kind, in the order in which they are played."""
    bet, dead = session.debit_content(), session.debit_content()
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


def play(session: GameSession, commands: dict[str, tuple[str, JsonObject]]) -> dict[str, Answer]:
    return {name: session.post(endpoint, content) for name, (endpoint, content) in commands.items()}


def test_every_kind_of_command_replays_byte_for_byte_and_moves_nothing(
    session: GameSession, commands: dict[str, tuple[str, JsonObject]]
) -> None:
    first = play(session, commands)
    assert {name: answer.status for name, answer in first.items()} == dict.fromkeys(commands, 200)
    after = session.balance()
    for name, answer in play(session, commands).items():
        require_replay(answer, first[name])
    assert session.balance() == after


def test_a_replay_matches_by_content_not_by_bytes(session: GameSession) -> None:
    content = session.debit_content(reason="bet")
    first = session.post("debit", content)
    backwards = dict(reversed(content.items())) | {"unknown": 1, "reason": "another reason"}
    require_replay(session.post("debit", backwards), first)


def test_naming_the_sessions_own_currency_on_a_copy_is_the_same_content(session: GameSession) -> None:
    content = session.debit_content()
    first = session.post("debit", content)
    require_replay(session.post("debit", content | {"currency": "USD"}), first)


def test_a_replay_answers_although_the_session_has_expired(
    session: GameSession, database: Database, commands: dict[str, tuple[str, JsonObject]]
) -> None:
    first = play(session, commands)
    expire(database, session)
    for name, answer in play(session, commands).items():
        require_replay(answer, first[name])


def test_a_replay_answers_although_the_player_was_excluded_since(session: GameSession, database: Database) -> None:
    content = session.debit_content()
    first = session.post("debit", content).must_be_ok()
    database.change(
        "update casino.wallets set excluded_until = now() + interval '1 day', blocked_at = now()"
        " where player_id = %(player)s",
        player=session.user_id,
    )
    require_replay(session.post("debit", content), first)
    assert session.debit().status == 403, "and a new bet is refused"


def test_a_replay_answers_although_the_money_is_gone(stack: Stack, database: Database) -> None:
    poor = stack.session(balance_minor=1000)
    content = poor.debit_content(1000)
    first = poor.post("debit", content).must_be_ok()
    require_replay(poor.post("debit", content), first)
    assert poor.balance() == 0


def test_a_refusal_for_want_of_money_is_remembered_after_a_top_up(stack: Stack, database: Database) -> None:
    poor = stack.session(balance_minor=1500)
    content = poor.debit_content(2000)
    first = poor.post("debit", content)
    assert first.verdict == (402, "insufficient_balance")
    earlier = poor.bet(1000)
    poor.credit(50_000, round_id=earlier.round_id, related=earlier.transaction_id).must_be_ok()
    require_same_refusal(poor.post("debit", content), first)
    assert poor.balance() == 50_500, "a later top-up never makes an old bet succeed"
    assert poor.debit(2000).status == 200, "and a new bet has its own luck"


def test_a_refusal_by_a_gate_is_remembered_after_the_gate_has_opened(session: GameSession, database: Database) -> None:
    block = "update casino.wallets set blocked_at = case when %(blocked)s then now() end where player_id = %(player)s"
    content = session.debit_content()
    database.change(block, blocked=True, player=session.user_id)
    first = session.post("debit", content)
    assert first.verdict == (403, "wallet_blocked")
    database.change(block, blocked=False, player=session.user_id)
    require_same_refusal(session.post("debit", content), first)
    assert session.debit().status == 200


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


def test_a_replay_needs_a_signature_of_its_own(session: GameSession) -> None:
    """Knowing an id is not enough to read its answer."""
    content = session.debit_content()
    session.post("debit", content).must_be_ok()
    forged = session.wallet.signer.prepare("POST", "/casino/debit", content, key="forger")
    assert session.wallet.send(forged).verdict == (401, "bad_signature")
