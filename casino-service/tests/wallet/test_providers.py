"""Two studios at one player's wallet: each has ids, rounds and sessions of its own, and reaches no other's."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256

import msgspec
import pytest

from casino.wallet import queries
from casino.wallet.commands import BalanceRequest, token_hash
from casino_testing.chain import entries, hashes_by_hand
from casino_testing.tenant import OPENING_BALANCE_MINOR
from casino_testing.wallet import STAKE_MINOR, Session, Wallet

ACME = "acme"
ONE_ID = "1001"


@pytest.fixture
def sessions(wallet: Wallet) -> tuple[Session, Session]:
    """One session of each studio, of one player."""
    game_of_acme, _ = wallet.tenant.add_games_of(ACME)
    ours, theirs = wallet.open_session(), wallet.open_session(game_id=game_of_acme)
    assert (ours.provider_id, theirs.provider_id) == ("main", ACME)
    return ours, theirs


def play_a_round(wallet: Wallet, session: Session, payout_minor: int) -> None:
    """A bet and its payout, with the ids that every studio has."""
    wallet.bet(session, transaction_id=ONE_ID, round_id=ONE_ID)
    wallet.accept(session.credit(payout_minor, transaction_id="1002", round_id=ONE_ID, related_id=ONE_ID))


def test_two_studios_use_the_same_ids_for_one_player(wallet: Wallet, sessions: tuple[Session, Session]) -> None:
    for session, payout_minor in zip(sessions, (3_000, 7_000), strict=True):
        play_a_round(wallet, session, payout_minor)
    assert wallet.tenant.balance() == OPENING_BALANCE_MINOR - 2 * STAKE_MINOR + 10_000
    booked = [(row["provider_id"], row["transaction_id"]) for row in wallet.tenant.transactions()]
    assert booked == [("main", ONE_ID), ("main", "1002"), (ACME, ONE_ID), (ACME, "1002")]
    rounds = {row["provider_id"]: row["paid_minor"] for row in wallet.tenant.rows("rounds")}
    assert rounds == {"main": 3_000, ACME: 7_000}
    assert wallet.tenant.differences() == []


def test_the_same_bet_of_two_studios_in_one_batch_of_two_players(
    wallet: Wallet, sessions: tuple[Session, Session]
) -> None:
    ours, _ = sessions
    theirs = wallet.open_session("2", game_id="3")
    both = [session.debit(transaction_id=ONE_ID, round_id=ONE_ID) for session in (ours, theirs)]
    assert [outcome.code for outcome in wallet.run_batch(both)] == [None, None]
    assert [outcome.replay for outcome in wallet.run_batch(both)] == [True, True]


def test_a_replay_finds_the_studios_own_first_answer(wallet: Wallet, sessions: tuple[Session, Session]) -> None:
    ours, theirs = sessions
    first = wallet.accept(command := ours.debit(transaction_id=ONE_ID, round_id=ONE_ID))
    wallet.accept(theirs.debit(2 * STAKE_MINOR, transaction_id=ONE_ID, round_id="another"))
    again = wallet.run(command)
    assert (again.replay, again.balance_minor, again.head) == (True, first.balance_minor, first.head)


def test_a_session_of_another_studio_is_not_found(wallet: Wallet, sessions: tuple[Session, Session]) -> None:
    """With every kind of command, in both directions; nothing is left behind."""
    before = wallet.tenant.money_rows()
    for session, other in (sessions, sessions[::-1]):
        stolen = replace(session, provider_id=other.provider_id)
        for command in (stolen.debit(), stolen.credit(), stolen.rollback("debit-0")):
            assert wallet.refuse(command) == "session_not_found"
        asked = BalanceRequest(provider_id=other.provider_id, token_hash=token_hash(session.token), player_id="1")
        assert [(found.code, found.balance_minor, found.head) for found in wallet.balances([asked])] == [
            ("session_not_found", None, None)
        ]
    assert wallet.tenant.money_rows() == before
    assert wallet.tenant.rows("attempts") == []


def test_a_session_of_another_studio_locks_no_wallet(wallet: Wallet, sessions: tuple[Session, Session]) -> None:
    """One studio cannot make the bets of another busy: the batch may hold a bet of the same wallet."""
    ours, theirs = sessions
    stolen = replace(ours, provider_id=ACME)
    outcomes = wallet.run_batch([stolen.debit(), theirs.debit()])
    assert [outcome.code for outcome in outcomes] == ["session_not_found", None]


def test_a_payout_finds_no_bet_of_another_studio(wallet: Wallet, sessions: tuple[Session, Session]) -> None:
    ours, theirs = sessions
    wallet.bet(ours, transaction_id=ONE_ID, round_id=ONE_ID)
    assert wallet.refuse(theirs.credit(round_id=ONE_ID, related_id=ONE_ID)) == "no_matching_bet"
    assert wallet.refuse(theirs.credit(round_id=ONE_ID)) == "no_matching_bet"


def test_a_rollback_does_not_reach_a_bet_of_another_studio(wallet: Wallet, sessions: tuple[Session, Session]) -> None:
    ours, theirs = sessions
    wallet.bet(ours, transaction_id=ONE_ID, round_id=ONE_ID)
    outcome = wallet.accept(theirs.rollback(ONE_ID, round_id=ONE_ID))
    assert (outcome.tombstone, outcome.balance_minor) == (True, OPENING_BALANCE_MINOR - STAKE_MINOR)
    assert wallet.refuse(theirs.debit(transaction_id=ONE_ID, round_id=ONE_ID)) == "transaction_rolled_back"
    assert wallet.tenant.feed_states() == {ONE_ID: "committed"}, "of main"
    wallet.accept(ours.rollback(ONE_ID, transaction_id="back", round_id=ONE_ID))
    assert wallet.tenant.balance() == OPENING_BALANCE_MINOR
    assert wallet.tenant.differences() == []


def test_a_tombstone_forbids_no_bet_of_another_studio(wallet: Wallet, sessions: tuple[Session, Session]) -> None:
    ours, theirs = sessions
    for session in sessions:
        outcome = wallet.accept(session.rollback(ONE_ID, transaction_id=f"back-{session.provider_id}"))
        assert (outcome.tombstone, outcome.already_rolled_back) == (True, False)
    assert {row["provider_id"] for row in wallet.tenant.rows("tombstones")} == {"main", ACME}
    wallet.accept(ours.rollback("1003", transaction_id="back-2"))
    wallet.bet(theirs, transaction_id="1003")


def test_attempts_are_counted_for_each_studio(wallet: Wallet, sessions: tuple[Session, Session]) -> None:
    for times, session in enumerate(sessions, start=1):
        bet = wallet.bet(session, transaction_id=ONE_ID)
        for _ in range(times):
            assert wallet.run(bet).replay
    counted = {(row["provider_id"], row["attempt"]): row["times"] for row in wallet.tenant.rows("attempts")}
    assert counted == {("main", "replay"): 1, (ACME, "replay"): 2}


def test_the_chain_covers_the_provider_and_main_keeps_its_formula(
    wallet: Wallet, sessions: tuple[Session, Session]
) -> None:
    for session in sessions:
        play_a_round(wallet, session, 0)
    chain = entries(wallet.tenant)
    assert [row["entry_hash"] for row in chain] == hashes_by_hand(chain)
    wallet.tenant.sql("begin")
    wallet.tenant.sql("set local session_replication_role = replica")  # as somebody who can switch foreign keys off
    wallet.tenant.sql(
        "update casino.transactions set provider_id = 'other' where ledger_id = %s and provider_id = %s",
        wallet.tenant.ledger_id, ACME,
    )  # fmt: skip
    broken = {row["rule"] for row in wallet.tenant.differences()}
    wallet.tenant.sql("rollback")
    assert "entry_hash_follows_from_the_one_before" in broken


def test_a_feed_and_a_look_up_hold_only_the_studios_own(wallet: Wallet, sessions: tuple[Session, Session]) -> None:
    for session in sessions:
        play_a_round(wallet, session, 0)
        wallet.bet(session, transaction_id=f"of {session.provider_id}", round_id="2")
    for session, other in (sessions, sessions[::-1]):
        wanted = {"ledger_id": wallet.tenant.ledger_id, "provider_id": session.provider_id, "after": 0, "limit": 100}
        page = wallet.wait(wallet.database.call(queries.FEED_PAGE, wanted))
        assert [row[1] for row in page] == [ONE_ID, "1002", f"of {session.provider_id}"]
        heads = [wallet.tenant.sql("select casino.head(sequence_no, entry_hash) as head from casino.transactions"
                 " where ledger_id = %s and feed_position = %s", wallet.tenant.ledger_id, row[0])[0]["head"]
                 for row in page]  # fmt: skip
        assert [row[-1] for row in page] == heads
        asked = wanted | {"tenant_id": wallet.tenant.tenant_id, "player_id": "1"}
        for transaction_id, count in ((ONE_ID, 1), (f"of {session.provider_id}", 1), (f"of {other.provider_id}", 0)):
            found = wallet.wait(
                wallet.database.call(queries.FIND_TRANSACTION, asked | {"transaction_id": transaction_id})
            )
            assert len(found) == count, transaction_id


@pytest.mark.parametrize("busy", ["main", ACME])
def test_the_newest_feed_position_is_that_of_any_studio(
    wallet: Wallet, sessions: tuple[Session, Session], busy: str
) -> None:
    """A restore is seen by it."""
    for session in sorted(sessions, key=lambda session: session.provider_id == busy):
        wallet.bet(session)
    newest = wallet.tenant.transactions()[-1]
    assert newest["provider_id"] == busy
    asked = wallet.tenant.sql("select casino.newest_feed_position(%s) as newest", wallet.tenant.ledger_id)
    assert asked == [{"newest": newest["feed_position"]}]


def test_a_draining_studio_gets_no_new_bet_and_everything_else_goes_on(
    wallet: Wallet, sessions: tuple[Session, Session]
) -> None:
    _, theirs = sessions
    bet = theirs.debit(transaction_id=ONE_ID, round_id=ONE_ID)
    wallet.accept(bet)
    taken_back = wallet.bet(theirs, round_id="2")
    late = theirs.debit(transaction_id="late", round_id="3", draining=True)
    assert wallet.refuse(late) == "provider_draining"
    assert wallet.run(msgspec.structs.replace(bet, draining=True)).replay, "a replay is found before the gate"
    wallet.accept(theirs.rollback(taken_back.transaction_id, round_id="2", draining=True))
    wallet.accept(theirs.credit(round_id=ONE_ID, related_id=ONE_ID, draining=True))
    stored = wallet.tenant.transaction("late")
    assert (stored["state"], stored["refusal_code"], stored["provider_id"]) == ("refused", "provider_draining", ACME)
    again = wallet.run(theirs.debit(transaction_id="late", round_id="3"))
    assert (again.code, again.replay) == ("provider_draining", True), "it is remembered when the studio is live again"


def test_a_process_of_the_release_before_goes_on_with_main(wallet: Wallet, sessions: tuple[Session, Session]) -> None:
    """Its signatures are there, and reach no other provider."""
    tenant, (_, theirs) = wallet.tenant, sessions
    opened = """
        select o_code from casino.open_session(%s, %s, '1', %s, gen_random_uuid(), sha256(%s::bytea), null, null)
    """
    assert tenant.sql(opened, tenant.ledger_id, tenant.tenant_id, "1", b"old") == [{"o_code": None}]
    refused = tenant.sql(opened, tenant.ledger_id, tenant.tenant_id, "3", b"older")
    assert refused == [{"o_code": "provider_draining"}]
    read = "select o_code, o_balance_minor from casino.get_balances(%s, %s::jsonb)"
    for token, answer in (
        (b"old", {"o_code": None, "o_balance_minor": OPENING_BALANCE_MINOR}),
        (theirs.token.encode(), {"o_code": "session_not_found", "o_balance_minor": None}),
    ):
        asked = json.dumps([{"tokenHash": sha256(token).hexdigest(), "playerId": "1"}])
        assert tenant.sql(read, tenant.ledger_id, asked) == [answer]
    seen = tenant.sql("select count(*) as rows from casino.transaction_feed where ledger_id = %s", tenant.ledger_id)
    wallet.bet(theirs)
    assert seen == [{"rows": 0}]
    now = tenant.sql("select count(*) as rows from casino.transaction_feed where ledger_id = %s", tenant.ledger_id)
    assert now == [{"rows": 0}], "the bet of another provider is not shown"
