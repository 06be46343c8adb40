"""Drifts planted into either side's books: `provider reconcile` finds every one under its kind, and nothing else."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e_testing.database import Database, create_database, drop_database
from e2e_testing.service_process import full_environment
from e2e_testing.stack import CURRENCY, TENANT, Stack, own_stack
from faults.planted_drifts import HEALED, ONLY_REPORTED, Expected, Played, played, tail_cut_there
from local_stack.testing import PostgresServer
from shared_service_testing.sampling import sampled
from shared_service_testing.waiting import wait_until

pytestmark = pytest.mark.slow

COMMAND_SECONDS = 120.0


@pytest.fixture
def drifting(server: PostgresServer, template: Database, tmp_path: Path, live_stacks: list[Stack]) -> Iterator[Stack]:
    """A stack whose books need not be sound in the end: they are what is broken here."""
    database = create_database(server.url(), template=template)
    running = own_stack(database, tmp_path, provider_settings={"PROVIDER_RECONCILE_AT": "off"})
    live_stacks.append(running)
    yield running
    live_stacks.remove(running)
    running.close()
    drop_database(server.url(), database)


def play(stack: Stack) -> Played:
    """A scripted round of a new player."""
    session, client = stack.session(), stack.signing_client(stack.provider)
    content = {
        "sessionToken": session.token,
        "providerSessionId": session.provider_session_id,
        "userId": session.user_id,
        "gameId": "SLOTS_001",
        "currency": CURRENCY,
        "casinoCode": TENANT,
    }
    assert client.post("/provider/simulate", content).must_be_ok().content["passed"] is True
    return played(stack.books, session)


def command(stack: Stack, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "provider", *words],
        env=full_environment(stack.provider_process.environment),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


def reconcile(stack: Stack, *words: str) -> dict[str, Any]:
    """One run of the command; its report, which agrees with its exit status."""
    ended = command(stack, "reconcile", "--json", *words)
    assert ended.stdout.startswith("{"), ended.stderr
    report: dict[str, Any] = json.loads(ended.stdout)
    assert ended.returncode == report["exitStatus"], ended.stderr
    return report


def wait_until_shown(database: Database) -> None:
    """Until the feed shows everything: a row is shown once nothing older can still commit, on the whole server."""
    hidden = "select from casino.transactions where feed_position >= casino.feed_horizon()"
    wait_until(lambda: not database.rows(hidden), "the feed never showed everything")


def plant(stack: Stack, plants: dict[str, Callable[[Played], Expected]]) -> dict[str, Expected]:
    rounds = {name: play(stack) for name in plants}
    expected = {name: work(rounds[name]) for name, work in plants.items()}
    wait_until_shown(stack.books)
    return expected


def found(report: dict[str, Any], *, unhealed_only: bool = False) -> list[tuple[str, str]]:
    return sorted(
        (each["kind"], each["transactionId"])
        for each in report["differences"]
        if not (unhealed_only and each["healedBy"])
    )


def test_every_planted_drift_is_found_under_its_kind_and_nothing_else(drifting: Stack) -> None:
    """Row G7, row A6, pitfalls 23 and 24: 26 kinds of drift at once, on either side."""
    plants = ONLY_REPORTED | HEALED | {"tail_cut_there": tail_cut_there}
    assert len(plants) == 26
    expected = sorted(pair for pairs in plant(drifting, plants).values() for pair in pairs)
    report = reconcile(drifting, "--no-heal")
    assert found(report) == expected
    assert (report["exitStatus"], report["healed"]) == (1, 0)
    assert all(each["proposedRepair"].endswith(".") for each in report["differences"])
    again = reconcile(drifting, "--no-heal")
    assert found(again) == expected, "finding changes nothing"


def test_what_may_be_healed_is_healed_and_no_money_moves_where_people_have_to_decide(drifting: Stack) -> None:
    """Row G7."""
    expected = sorted(pair for pairs in plant(drifting, HEALED).values() for pair in pairs)
    report = reconcile(drifting)
    assert found(report) == expected
    assert (report["exitStatus"], report["healed"]) == (0, len(expected))
    wait_until_shown(drifting.books)
    again = reconcile(drifting)
    assert (again["exitStatus"], again["differences"]) == (0, [])

    balances = "select player_id, balance_minor, sequence_no from casino.wallets order by player_id"
    chosen = dict(sampled(ONLY_REPORTED.items(), 8))
    expected = sorted(pair for pairs in plant(drifting, chosen).values() for pair in pairs)
    before = drifting.books.rows(balances)
    report = reconcile(drifting)
    assert found(report, unhealed_only=True) == found(report) == expected
    assert drifting.books.rows(balances) == before


def test_a_tail_that_the_wallet_lost_is_found_whole_and_healed_as_far_as_the_protocol_goes(drifting: Stack) -> None:
    """Row A6: a failover to a standby that lacks the last transactions. No debit is ever sent again."""
    lost = play(drifting)
    wait_until_shown(drifting.books)
    expected = sorted(tail_cut_there(lost))
    report = reconcile(drifting)
    assert found(report) == expected
    assert found(report, unhealed_only=True) == sorted([("missing_there", lost.bet), ("missing_there", lost.credit)])
    wait_until_shown(drifting.books)
    assert found(reconcile(drifting)) == sorted([("missing_there", lost.bet), ("missing_there", lost.credit)])


def test_the_heads_of_these_books_show_the_wallet_a_tail_that_it_lost(drifting: Stack, tmp_path: Path) -> None:
    """Row G8, row A6: a tail cut off cleanly leaves a chain that is whole, but for a head that was told to others."""
    kept, lost, heads = play(drifting), play(drifting), tmp_path / "heads.jsonl"
    ended = command(drifting, "heads")
    heads.write_text(ended.stdout)
    told = {line["userId"]: line for line in map(json.loads, ended.stdout.splitlines())}
    assert set(told) == {kept.session.user_id, lost.session.user_id}
    query = "select player_id, sequence_no, encode(head_hash, 'hex') as hash from casino.wallets"
    for row in drifting.books.rows(f"{query} where player_id = any(%(ids)s)", ids=list(told)):
        line = told[row["player_id"]]
        assert (line["sequence"], line["hash"], line["casinoCode"]) == (row["sequence_no"], row["hash"], TENANT)
    assert ledger_findings(drifting, heads) == []
    tail_cut_there(lost)
    told_of = [(finding["player_id"], finding["transaction_id"]) for finding in ledger_findings(drifting, heads)]
    newest = told[lost.session.user_id]["transactionId"]
    assert (lost.session.user_id, newest) in told_of
    assert kept.session.user_id not in {player for player, _ in told_of}


def ledger_findings(stack: Stack, heads: Path) -> list[dict[str, Any]]:
    """What the wallet's own check says, given the heads that the provider kept."""
    ended = subprocess.run(
        [sys.executable, "-m", "casino", "check-ledger", "--json", "--heads", str(heads)],
        env=full_environment(stack.casino_process.environment),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    findings: list[dict[str, Any]] = json.loads(ended.stdout)["findings"]
    assert ended.returncode == bool(findings), ended.stderr
    return findings


def test_one_request_id_leads_from_the_player_to_both_books_and_to_what_was_found(drifting: Stack) -> None:
    """Row H3, the provider's half; pitfall 23."""
    at = play(drifting)
    at.there(at.credit, "amount_minor = amount_minor + 1")
    wait_until_shown(drifting.books)
    assert reconcile(drifting)["exitStatus"] == 1
    life = json.loads(command(drifting, "transaction", at.credit, "--json").stdout)
    theirs = drifting.books.row(
        "select request_id, sequence_no from casino.transactions where transaction_id = %(id)s", id=at.credit
    )
    assert life["requestId"] == theirs["request_id"]
    assert life["requestId"] in drifting.provider_process.log_path.read_text()
    assert life["head"].startswith(f"{theirs['sequence_no']}:")
    assert [(each["status"], each["signature"]) for each in life["attempts"]] == [(200, "good")]
    assert [each["kind"] for each in life["differences"]] == ["amount"]
    bet = json.loads(command(drifting, "transaction", at.taken_back, "--json").stdout)
    assert (bet["rollback"]["transactionId"], bet["rollback"]["state"]) == (at.rollback, "committed")
    assert [each["status"] for each in bet["rollback"]["attempts"]] == [200]
    paid = json.loads(command(drifting, "transaction", at.bet, "--json").stdout)
    assert [credit["transactionId"] for credit in paid["credits"]] == [at.credit]
    shown = command(drifting, "transaction", at.bet)
    assert (shown.returncode, at.credit in shown.stdout) == (0, True)
    assert at.session.token not in shown.stdout + json.dumps([life, bet, paid])
    unknown = command(drifting, "transaction", "a9429bb3-9f71-4497-9fa4-f5f7592a46af")
    assert (unknown.returncode, unknown.stdout, len(unknown.stderr.splitlines())) == (1, "", 1)
