"""The commands of reconciliation as a person or a script runs them: what they print, and their exit statuses."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import psycopg
import pytest

from provider.reconciliation.compare import CONTRADICTION, proposal
from provider_testing.fake_wallet import FakeWallet
from provider_testing.process import PATIENT_PROVIDER, PROVIDER, environment
from provider_testing.reconciling import play, transaction_of
from provider_testing.service import rows
from provider_testing.wallet_faults import cut, stall

NOWHERE = "postgresql://nobody@127.0.0.1:1/x"


def run(database_url: str, wallet_url: str, *words: str, **changed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*(PROVIDER if database_url == NOWHERE else PATIENT_PROVIDER), *words],
        env=environment(database_url, wallet_url, **changed),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_a_table_shows_each_difference_with_what_to_do(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    await play(database_url, wallet)
    credit = str(transaction_of(owner_url, "credit")["transaction_id"])
    wallet.model.drifts[credit] = {"amount": 1999, "roundId": "[bold]another[/bold]"}
    ended = run(database_url, wallet.url, "reconcile")
    assert ended.returncode == 1, ended.stderr
    for text in ("amount", "round", credit, "1999", "[bold]another[/bold]", "2 differences, 0 healed"):
        assert text in ended.stdout, text


async def test_json_is_all_that_is_printed_and_logs_go_elsewhere(database_url: str, wallet: FakeWallet) -> None:
    await play(database_url, wallet)
    ended = run(database_url, wallet.url, "reconcile", "--json")
    report = json.loads(ended.stdout)
    assert (ended.returncode, report["exitStatus"], report["compared"]) == (0, 0, 5)
    assert "books_reconciled" in ended.stderr


def test_what_cannot_finish_ends_with_two_whatever_the_reason(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    wallet.plan("transactions", cut, times=50)
    assert run(database_url, wallet.url, "reconcile").returncode == 2
    ended = run(database_url, wallet.url, "reconcile", CASINO_URL="nonsense")
    assert (ended.returncode, "CASINO_URL" in ended.stderr) == (2, True)
    ended = run(NOWHERE, wallet.url, "reconcile")
    assert (ended.returncode, "PROVIDER_DATABASE_URL" in ended.stdout) == (2, True)
    for words in (("heads",), ("transaction", "x")):
        ended = run(NOWHERE, wallet.url, *words)
        assert (ended.returncode, "PROVIDER_DATABASE_URL" in ended.stderr, ended.stdout) == (2, True, "")
        told = ended.stderr.splitlines()[-1].removeprefix("Error: ")
        assert "Error" not in told  # a reason, not the name of an exception
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute(
            "insert into provider.reconciliation_runs (ran_by, heals, started_at, lease_until)"
            " values ('another', true, now(), now() + interval '1 minute')"
        )
    ended = run(database_url, wallet.url, "reconcile")
    assert (ended.returncode, "another run is under way" in ended.stdout) == (2, True)
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("drop table provider.reconciliation_runs cascade")
    ended = run(database_url, wallet.url, "reconcile")
    assert (ended.returncode, "a defect: UndefinedTable" in ended.stdout) == (2, True)


def test_a_person_who_gives_up_gets_a_two(database_url: str, owner_url: str, wallet: FakeWallet) -> None:
    wallet.plan("transactions", stall)
    with subprocess.Popen(
        [*PATIENT_PROVIDER, "reconcile"],
        env=environment(database_url, wallet.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as started:
        assert wallet.reached.wait(60)
        started.send_signal(signal.SIGINT)
        assert started.wait(60) == 2
    told = rows(owner_url, "select failure from provider.reconciliation_runs")
    assert told == [{"failure": "interrupted"}]


async def test_heads_are_printed_one_to_a_line(database_url: str, owner_url: str, wallet: FakeWallet) -> None:
    await play(database_url, wallet)
    assert run(database_url, wallet.url, "heads").stdout == "", "this wallet has no chain"
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute(
            "update provider.wallet_transactions set head_hash = repeat('ab', 32),"
            " head_sequence = case kind when 'credit' then 12 else 3 end where state <> 'refused'"
        )
    ended = run(database_url, wallet.url, "heads")
    credit = str(transaction_of(owner_url, "credit")["transaction_id"])
    assert [json.loads(line) for line in ended.stdout.splitlines()] == [
        {"userId": "1", "casinoCode": "JAQPOT", "sequence": 12, "hash": "ab" * 32, "transactionId": credit}
    ]


async def test_one_life_of_a_transaction_is_told_without_a_token(
    database_url: str, owner_url: str, wallet: FakeWallet
) -> None:
    """Row H3, the provider's half; pitfall 23."""
    await play(database_url, wallet)
    wallet.plan("credit", cut)
    await play(database_url, wallet, passes=False)
    query = """
        select distinct on (t.kind, t.state) t.transaction_id, t.request_id, count(a.attempt_id) as attempts
        from provider.wallet_transactions as t left join provider.wallet_attempts as a using (transaction_id)
        group by t.transaction_id
    """
    for row in rows(owner_url, query):
        ended = run(database_url, wallet.url, "transaction", str(row["transaction_id"]), "--json")
        life = json.loads(ended.stdout)
        assert (life["requestId"], len(life["attempts"])) == (row["request_id"], row["attempts"])
        told = ended.stdout
        assert "gAAAA" not in told, "not even sealed"
        for call in wallet.calls:
            assert call.members.get("sessionToken", "none-was-sent") not in told
    credit = str(transaction_of(owner_url, "credit")["transaction_id"])
    shown = run(database_url, wallet.url, "transaction", credit.upper()).stdout
    assert f"transactionId: {credit}" in shown
    assert not [call for call in wallet.calls if call.members.get("sessionToken", "none-was-sent") in shown]


@pytest.mark.parametrize("unknown", ["a9429bb3-9f71-4497-9fa4-f5f7592a46af", "'; drop table x; --"])
def test_an_unknown_transaction_is_said_to_be_unknown(database_url: str, wallet: FakeWallet, unknown: str) -> None:
    ended = run(database_url, wallet.url, "transaction", unknown)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("Error: ")


def test_what_only_the_wallet_knows_has_a_life_here_once_it_was_found(database_url: str, wallet: FakeWallet) -> None:
    asked = {"sessionToken": "t", "userId": "1", "transactionId": "a [b]", "roundId": "r", "amount": 7}
    wallet.model.execute("debit", asked)
    assert run(database_url, wallet.url, "reconcile").returncode == 1
    life = json.loads(run(database_url, wallet.url, "transaction", "a [b]", "--json").stdout)
    assert [(each["kind"], each["theirs"]["amount"]) for each in life["differences"]] == [("missing_here", 7)]
    assert "a [b]" in run(database_url, wallet.url, "transaction", "a [b]").stdout


def test_every_kind_of_difference_has_a_sentence(owner_url: str) -> None:
    known = rows(
        owner_url,
        "select pg_get_constraintdef(oid) as text from pg_constraint where conname = 'difference_kind_known'",
    )[0]["text"]
    kinds = [part for part in known.split("'") if part.isidentifier() and part not in ("text",)]
    assert len(kinds) == 14
    assert CONTRADICTION in kinds
    for kind in set(kinds) - {"missing_here", "missing_there", "state"}:
        assert proposal(kind, None, None).endswith(".")


async def test_with_several_casinos_a_command_says_which_one_it_needs(
    database_url: str, owner_url: str, wallet: FakeWallet, tmp_path: Path
) -> None:
    await play(database_url, wallet)
    file = tmp_path / "casinos.json"
    keys = {side: [{"id": f"acme-{side}", "secret": f"acme-{side}-secret"}] for side in ("casino", "provider")}
    file.write_text(json.dumps([{"id": "ACME", "url": "http://127.0.0.1:1", "status": "draining", "keys": keys}]))
    several = {"PROVIDER_CASINOS_FILE": str(file)}
    for words in (("reconcile",), ("heads",)):
        ended = run(database_url, wallet.url, *words, **several)
        assert (ended.returncode, "--casino; there are: JAQPOT, ACME" in ended.stderr) == (2, True)
    assert run(database_url, wallet.url, "heads", "--casino", "NOBODY", **several).returncode == 2
    ended = run(database_url, wallet.url, "reconcile", "--casino", "JAQPOT", "--json", **several)
    assert (ended.returncode, json.loads(ended.stdout)["compared"]) == (0, 5)
    away = run(database_url, wallet.url, "reconcile", "--casino", "ACME", "--json", **several)
    assert (away.returncode, json.loads(away.stdout)["failure"]) == (2, "wallet_away")
    runs = rows(owner_url, "select casino_code, exit_status from provider.reconciliation_runs order by run_id")
    assert [tuple(each.values()) for each in runs] == [("JAQPOT", 0), ("ACME", 2)]
    credit = str(transaction_of(owner_url, "credit")["transaction_id"])
    found = [run(database_url, wallet.url, "transaction", credit, "--casino", code) for code in ("JAQPOT", "ACME")]
    assert [ended.returncode for ended in found] == [0, 1]
    shown = run(database_url, wallet.url, "keys", **several)
    assert all(text in shown.stdout for text in ("acme-casino", "acme-provider")), shown.stdout + shown.stderr
