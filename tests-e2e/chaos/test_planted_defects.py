"""A campaign can fail: defects planted in the books of a real stack turn the checks red that are meant for them."""

from pathlib import Path

import pytest

from chaos.findings import (
    ACKNOWLEDGED,
    BALANCES,
    BOTH_BOOKS,
    CASINO_VIEW,
    CONTRADICTIONS,
    INTENDED,
    REPORTED,
    SOUND_LEDGER,
    Findings,
    agreement_findings,
    book_findings,
    history_findings,
)
from chaos.record import ledger_of, signed_answers, states_of
from chaos.relation_books import books_of
from chaos.round_players import Report
from e2e_testing.both_books import wait_until_settled
from e2e_testing.database import Database
from e2e_testing.stack import StartStack
from e2e_testing.two_pairs import NUMBERS, RELATIONS, Relation, game_of, provider_id_of, start_two_pairs
from faults.conftest import faulty_stack
from faults.faulty_stack import PATIENT_PROVIDER, FaultyStack, Round
from local_stack.testing import PostgresServer

DELETE_A_WIN = """
    with gone as (
        select * from casino.transactions where transaction_id = %(id)s
    ), postings as (
        delete from casino.postings where transaction_id = %(id)s
    ), events as (
        delete from casino.ledger_events where right(action_id, length(%(id)s)) = %(id)s
    ), entry as (
        delete from casino.transactions where transaction_id = %(id)s
    )
    update casino.wallets as wallet set balance_minor = wallet.balance_minor - gone.amount_minor
    from gone where wallet.wallet_id = gone.wallet_id
"""
TAKE_A_CENT = "update casino.wallets set balance_minor = balance_minor - 1 where player_id = %(player)s"
FORGET = "update provider.wallet_transactions set state = 'refused' where transaction_id = %(id)s::uuid"


def findings_of(faulty: FaultyStack, rounds: list[Round]) -> Findings:
    """Every check, on the books as they are now and on all that was said until now."""
    reports = [
        Report(played.session.user_id, played.answer.status, played.answer.content)
        for played in rounds
        if played.answer is not None
    ]
    said = signed_answers(faulty.proxy.deliveries, {"main": faulty.casino_secret})
    ledger, ours = ledger_of(faulty.database), states_of(faulty.database)
    return book_findings(faulty.database) | history_findings(ledger, ours, said, reports)


def red(findings: Findings, needle: str) -> set[str]:
    """The checks that found something about this transaction or wallet."""
    return {name for name, found in findings.items() if any(needle in finding for finding in found)}


def transaction_of(played: Round, action: str) -> str:
    assert played.answer is not None
    step = next(step for step in played.answer.content["steps"] if step["action"] == action)
    return str(step["request"]["transactionId"])


@pytest.mark.slow
def test_each_planted_defect_turns_the_checks_red_that_are_meant_for_it(
    server: PostgresServer, template: Database, tmp_path: Path
) -> None:
    with faulty_stack(server, template, tmp_path, provider_settings=PATIENT_PROVIDER) as faulty:
        rounds = [faulty.play_round(faulty.stack.session()) for _ in range(4)]
        assert all(played.passed for played in rounds)
        wait_until_settled(faulty.database)
        clean = findings_of(faulty, rounds)
        assert not any(clean.values()), clean

        paid_twice, robbed, cent, forgotten = rounds
        session = paid_twice.session
        round_id = str(paid_twice.answer and paid_twice.answer.content["roundId"])
        rogue = session.credit(2000, round_id=round_id, related=transaction_of(paid_twice, "bet_1")).must_be_ok()
        assert INTENDED in red(findings_of(faulty, rounds), str(rogue.content["transactionId"]))
        assert BALANCES in red(findings_of(faulty, rounds), session.user_id)

        win = transaction_of(robbed, "payout")
        faulty.database.rows(DELETE_A_WIN, id=win)
        found = findings_of(faulty, rounds)
        assert {ACKNOWLEDGED, REPORTED, BOTH_BOOKS} <= red(found, win)
        assert found[SOUND_LEDGER], "a hole in the sequence"

        faulty.database.change(TAKE_A_CENT, player=cent.session.user_id)
        found = findings_of(faulty, rounds)
        assert BALANCES in red(found, cent.session.user_id)
        assert found[CASINO_VIEW]

        bet = transaction_of(forgotten, "bet_1")
        faulty.database.change(FORGET, id=bet)
        assert {BOTH_BOOKS, REPORTED} <= red(findings_of(faulty, rounds), bet)

        win = transaction_of(forgotten, "payout")
        faulty.database.change(FORGET, id=win)
        assert {CONTRADICTIONS, REPORTED} <= red(findings_of(faulty, rounds), win)


ROLLBACKS = "select transaction_id from casino.transactions where kind = 'rollback' and provider_id = %(provider)s"
PUT_UNDER_ANOTHER_STUDIO = "update casino.transactions set provider_id = %(provider)s where transaction_id = %(id)s"


@pytest.mark.slow
def test_a_bet_under_the_wrong_studio_turns_the_checks_of_both_relations_red(
    server: PostgresServer, start_stack: StartStack, tmp_path: Path
) -> None:
    pairs = start_two_pairs(start_stack, tmp_path)
    databases = {number: pairs.stack(number).books for number in NUMBERS}
    for relation in RELATIONS:
        stack = pairs.stack(relation[0])
        assert stack.simulate(stack.open_player(), game_id=game_of(relation)[0]).must_be_ok().content["passed"]
    for database in databases.values():
        wait_until_settled(database)

    def found() -> dict[Relation, set[str]]:
        reds = {}
        for casino, studio in RELATIONS:
            with books_of(server.url(), databases, casino, studios=[studio]) as books:
                reds[casino, studio] = {name for name, rows in agreement_findings(books).items() if rows}
        return reds

    assert not any(found().values())
    probe = databases[1].rows(ROLLBACKS, provider=provider_id_of((1, 1)))[0]["transaction_id"]
    databases[1].rows("set session_replication_role = replica")  # the foreign keys would not allow the defect
    databases[1].change(PUT_UNDER_ANOTHER_STUDIO, id=probe, provider=provider_id_of((1, 2)))
    assert found() == {(1, 1): {BOTH_BOOKS}, (1, 2): {INTENDED}, (2, 1): set(), (2, 2): set()}
    databases[1].change(PUT_UNDER_ANOTHER_STUDIO, id=probe, provider=provider_id_of((1, 1)))
