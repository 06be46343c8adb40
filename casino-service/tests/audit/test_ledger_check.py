"""`casino check-ledger`: a whole ledger has no findings, a tampering exactly those it leaves. Rows G7 and G8."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.rows import dict_row

from casino.__main__ import main
from casino.audit import ledger_check
from casino.audit.heads import RecordedHead
from casino.audit.ledger_check import Examination, examine
from casino.audit.snapshot import Books, CannotRead, books_at_one_moment
from casino.sql.schema import SCHEMA
from casino_testing.copies import copied_database
from casino_testing.tampered_books import TAMPERED_BOOKS
from casino_testing.tampered_entries import TAMPERED_ENTRIES
from casino_testing.tampering import Tampering, play, tamper
from casino_testing.tampering_with_good_hashes import TAMPERINGS_WITH_GOOD_HASHES, UNDETECTED_TAMPERINGS
from casino_testing.tenant import Tenant
from casino_testing.webhooks import listen, told
from local_stack.testing import CloneDatabase, PostgresServer
from shared_service.postgres.migrate import migrate

TAMPERINGS = {each.name: each for each in (*TAMPERED_ENTRIES, *TAMPERED_BOOKS, *TAMPERINGS_WITH_GOOD_HASHES)}
SMALLER_STAKE = TAMPERINGS["a stake made smaller"]
TAMPERINGS_MADE = 89
VIEW = "select rule, count(*)::int as rows from casino.ledger_differences where ledger_id = 1 group by rule"
NEWEST = """
    select wallet.player_id, wallet.sequence_no, encode(wallet.head_hash, 'hex'), entry.transaction_id
    from casino.wallets as wallet join casino.transactions as entry using (ledger_id, wallet_id, sequence_no)
"""


class NoProgress:
    """A watcher that shows nothing."""

    def expects(self, transactions: int) -> None: ...

    def advances(self, transactions: int, found: int) -> None: ...


@pytest.fixture(scope="module")
def played(postgres_server: PostgresServer, casino_template: str) -> Iterator[str]:
    """The name of a database with one of every kind of transaction; nobody is connected to it."""
    with copied_database(postgres_server, casino_template) as url:
        play(url)
        yield str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])


@pytest.fixture
def books(played: str, clone_database: CloneDatabase) -> str:
    """The URL of a copy for one test."""
    return clone_database(played)


@pytest.fixture(scope="module")
def sound_books(played: str, postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a copy in which no test commits a change."""
    with copied_database(postgres_server, played) as url:
        yield url


@pytest.fixture(scope="module")
def books_of_all(sound_books: str) -> Iterator[Books]:
    """A superuser's connection to that copy."""
    with psycopg.connect(sound_books, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture
def shared(books_of_all: Books) -> Iterator[Books]:
    """That connection, in a transaction that is rolled back."""
    yield books_of_all
    books_of_all.rollback()


@pytest.fixture(scope="module")
def heads(played: str, postgres_server: PostgresServer) -> list[RecordedHead]:
    """What a provider would have written down before the tampering."""
    with psycopg.connect(postgres_server.url(played)) as connection:
        return [RecordedHead(*row) for row in connection.execute(NEWEST).fetchall()]


def do(url: str, tampering: Tampering) -> None:
    with psycopg.connect(url) as connection:
        tamper(connection, tampering)


def look(url: str, *heads: RecordedHead, ledger_id: int = 1) -> Examination:
    with books_at_one_moment(url) as books:
        return examine(books, ledger_id, [list(heads)] if heads else None, NoProgress())


def said(examination: Examination) -> set[tuple[Any, ...]]:
    return {(found.rule, found.player_id, found.transaction_id, found.rows) for found in examination.findings.values()}


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["check-ledger", *arguments], env={"CASINO_OWNER_DATABASE_URL": url})


def written(folder: Path, heads: list[RecordedHead], **more: object) -> str:
    lines = [
        {"userId": head.user_id, "sequence": head.sequence, "hash": head.hash, "transactionId": head.transaction_id}
        for head in heads
    ]
    path = folder / "heads.jsonl"
    path.write_text("\n".join(json.dumps({**line, **more}) for line in lines) + "\n")
    return str(path)


@pytest.mark.parametrize("name", TAMPERINGS)
def test_every_trace_of_a_tampering_is_found_and_nothing_else(
    shared: Books, heads: list[RecordedHead], name: str
) -> None:
    """By the check, and by the view that tests and operators read."""
    tampering = TAMPERINGS[name]
    tamper(shared, tampering)
    assert said(examine(shared, 1, None, NoProgress())) == tampering.found
    assert said(examine(shared, 1, [heads], NoProgress())) == tampering.found | tampering.found_by_head
    assert {row["rule"]: row["rows"] for row in shared.execute(VIEW)} == {rule: n for rule, *_, n in tampering.found}
    assert tampering.found | tampering.found_by_head, "nothing finds it"


@pytest.mark.parametrize("name", UNDETECTED_TAMPERINGS)
def test_what_the_documents_call_undetected_is_not_found(shared: Books, heads: list[RecordedHead], name: str) -> None:
    """A rule that finds one of these is welcome: then SECURITY.md has to say so."""
    tamper(shared, Tampering(name, UNDETECTED_TAMPERINGS[name], frozenset()))
    assert said(examine(shared, 1, [heads], NoProgress())) == set()


def test_each_rule_finds_a_tampering(shared: Books) -> None:
    row = shared.execute(
        "select string_agg(pg_get_function_sqlbody(oid), '') as text from pg_proc where proname in"
        " ('wallet_differences', 'ledger_wide_differences', 'differences_of_bonuses', 'differences_of_vouchers')"
    ).fetchone()
    assert row is not None
    named = set(re.findall(r"'([a-z]+(?:_[a-z]+){2,})'", row["text"]))
    assert {rule for tampering in TAMPERINGS.values() for rule, *_ in tampering.found} == named
    assert len(named) > row["text"].count("union all"), "a branch without a name"
    assert len(TAMPERINGS) == TAMPERINGS_MADE, "no two have one name"


def test_rules_that_were_replaced_say_nothing_and_a_release_brings_its_own_back(books: str) -> None:
    """What SECURITY.md tells whoever does not trust the functions in a database."""
    do(books, SMALLER_STAKE)
    with psycopg.connect(books) as connection:
        for name in ("wallet_differences", "ledger_wide_differences"):
            row = connection.execute(
                "select pg_get_functiondef(oid) from pg_proc where proname = %s", [name]
            ).fetchone()
            assert row is not None
            head = row[0].split("BEGIN ATOMIC")[0]
            nothing = "select null::text, 1, 1::bigint, null::text, null::text, null::text where false;"
            connection.execute(f"{head} begin atomic {nothing} end".encode())
    assert said(look(books)) == set()
    with psycopg.connect(books) as connection:
        connection.execute("delete from casino.applied_sql_files")
    migrate(SCHEMA, books)
    assert said(look(books)) == SMALLER_STAKE.found


def test_a_whole_ledger_is_called_whole(sound_books: str, heads: list[RecordedHead], tmp_path: Path) -> None:
    result = run(sound_books, "--heads", written(tmp_path, heads, casinoCode="JAQPOT"))
    assert (result.exit_code, result.stdout) == (
        0, "ledger 1: 2 wallets, 9 transactions, 2 recorded heads: whole\n"
    )  # fmt: skip


def test_the_first_wrong_row_is_named_with_what_was_expected(books: str) -> None:
    do(books, SMALLER_STAKE)
    result = run(books)
    assert result.exit_code == 1
    line = next(line for line in result.stdout.splitlines() if "posting_moves_what_its_transaction_says" in line)
    assert [cell.strip() for cell in line.split("│")[1:-1]] == [
        "posting_moves_what_its_transaction_says", "1", "bet", "-900 USD", "-1000 USD", "1",
    ]  # fmt: skip


def test_what_is_found_is_told_to_the_webhooks_that_ask(books: str) -> None:
    do(books, TAMPERINGS["a balance with money added"])
    assert run(books).exit_code == 1, "nobody asks"
    tenant = Tenant.demo(books)
    listen(tenant, "difference.found")
    result = run(books)
    assert (result.exit_code, result.stderr) == (1, "")
    assert told(tenant) == [
        (
            "difference.found",
            {
                "tenantId": "JAQPOT", "playerId": "2", "rule": "balance_is_sum_of_postings", "transactionId": None,
                "expected": "999000", "found": "999001", "rows": 1,
            },
        )
    ]  # fmt: skip
    tenant.sql("alter table casino.webhook_events add check (event_type = 'none') not valid")
    tenant.close()
    result = run(books)
    assert result.exit_code == 1, "the verdict stands"
    assert "webhooks were not told" in result.stderr


def test_the_same_as_json_for_machines(books: str) -> None:
    do(books, TAMPERINGS["a balance with money added"])
    result = run(books, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["findings"] == [
        {
            "rule": "balance_is_sum_of_postings", "player_id": "2", "transaction_id": None,
            "expected": "999000", "found": "999001", "rows": 1,
        }
    ]  # fmt: skip


def test_a_tail_that_was_cut_off_is_found_by_the_providers_head(
    books: str, heads: list[RecordedHead], tmp_path: Path
) -> None:
    """Wallet, numbers and hashes were all set back: only somebody else's word is left."""
    do(books, TAMPERINGS["a tail cut off and the wallet set back"])
    assert run(books).exit_code == 0
    result = run(books, "--heads", written(tmp_path, heads))
    assert result.exit_code == 1
    assert "recorded_head_is_in_the_chain" in result.stdout


def test_a_head_of_a_player_who_is_not_there_is_a_finding_and_one_of_another_casino_is_not(
    sound_books: str, heads: list[RecordedHead], tmp_path: Path
) -> None:
    unknown = RecordedHead("nobody", 1, "00" * 32, "t")
    assert said(look(sound_books, unknown)) == {("recorded_head_is_in_the_chain", "nobody", "t", 1)}
    others = Path(written(tmp_path, [unknown], casinoCode="ANOTHER")).read_text()
    path = Path(written(tmp_path, heads))
    path.write_text(path.read_text() + others)
    result = run(sound_books, "--heads", str(path))
    assert (result.exit_code, "2 recorded heads (1 of other casinos" in result.stdout) == (0, True)


@pytest.mark.parametrize("of", ["nobody", "blank lines", "another casino"])
@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_a_file_without_a_head_of_this_casino_ends_the_check_without_a_verdict(
    sound_books: str, heads: list[RecordedHead], tmp_path: Path, of: str, as_json: tuple[str, ...]
) -> None:
    """A `provider heads` that fails leaves an empty file: nothing was compared, so nothing may be called whole."""
    path = Path(written(tmp_path, heads, casinoCode="ANOTHER"))
    if of != "another casino":
        path.write_text("" if of == "nobody" else "\n \n")
    result = run(sound_books, "--heads", str(path), *as_json)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no recorded heads of this casino" in result.stderr


def test_an_old_head_is_in_the_chain_for_ever(sound_books: str) -> None:
    with psycopg.connect(sound_books) as connection:
        rows = connection.execute(
            "select wallet.player_id, entry.sequence_no, encode(entry.entry_hash, 'hex'), entry.transaction_id"
            " from casino.transactions as entry join casino.wallets as wallet using (ledger_id, wallet_id)"
            " where entry.sequence_no is not null"
        ).fetchall()
    assert len(rows) == 9
    assert said(look(sound_books, *(RecordedHead(*row) for row in rows))) == set()


def test_pages_of_any_size_say_the_same(books: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(books) as connection:
        connection.execute(
            "select casino.open_player('JAQPOT', 'p' || n, 'x', 'USD', 1000, 1) from generate_series(1, 9) as n"
        )
        connection.execute("update casino.wallets set balance_minor = 7 where player_id in ('p3', 'p8')")
        connection.execute("update casino.wallets set head_hash = sha256('') where player_id = 'p9'")
    expected = {
        ("balance_is_sum_of_postings", "p3", None, 2),
        ("wallet_points_at_its_newest_transaction", "p9", "§opening-balance", 1),
    }
    for wallets, transactions in ((1_000, 50_000), (1, 50_000), (4, 2), (3, 1)):
        monkeypatch.setattr(ledger_check, "WALLETS_PER_PAGE", wallets)
        monkeypatch.setattr(ledger_check, "TRANSACTIONS_PER_PAGE", transactions)
        assert said(look(books)) == expected


def test_what_is_booked_during_the_look_is_not_seen_by_half(books: str) -> None:
    """One snapshot: a transaction that commits between two pages must not look like a difference."""
    with books_at_one_moment(books) as reader, psycopg.connect(books, autocommit=True) as writer:
        writer.execute("update casino.wallets set balance_minor = 0")
        assert said(examine(reader, 1, None, NoProgress())) == set()
    assert said(look(books)) == {("balance_is_sum_of_postings", "1", None, 2)}


def test_a_provider_may_know_the_casino_by_another_name(
    sound_books: str, heads: list[RecordedHead], tmp_path: Path
) -> None:
    """The casinoCode of its entry in the file of providers."""
    path = written(tmp_path, heads, casinoCode="AT-ACME")
    result = run(sound_books, "--heads", path, "--casino-code", "AT-ACME")
    assert (result.exit_code, "2 recorded heads: whole" in result.stdout) == (0, True)


@pytest.mark.parametrize(
    "line", ["nonsense", "{}", '{"userId":"1","sequence":0,"hash":"%s","transactionId":"t"}' % ("0" * 64), '"\\ud800'],
)  # fmt: skip
def test_heads_that_cannot_be_read_end_the_check_without_a_verdict(sound_books: str, tmp_path: Path, line: str) -> None:
    path = tmp_path / "heads"
    path.write_text("\n" + line + "\n")
    result = run(sound_books, "--heads", str(path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "line 2" in result.stderr


def test_no_verdict_without_a_database_a_schema_a_ledger_or_a_file(
    sound_books: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    attempts = [
        run(""),
        run("postgresql://nobody:a-password@127.0.0.1:1/nothing"),
        run(postgres_server.url()),
        run(sound_books, "--ledger", "77"),
        run(sound_books, "--heads", str(tmp_path / "no such file")),
        run(sound_books, "--heads", str(tmp_path / "pipe")),
    ]
    assert [result.exit_code for result in attempts] == [2] * len(attempts)
    assert all(result.stdout == "" and result.stderr.startswith("casino: ") for result in attempts)
    assert "a-password" not in attempts[1].stderr


def test_the_look_is_one_at_the_whole_ledger_and_cannot_write(sound_books: str) -> None:
    """Row G8. What the check reads with may not change what it checks."""
    with books_at_one_moment(sound_books) as connection:
        row = connection.execute("select current_user as name").fetchone()
        assert row == {"name": "casino_owner"}
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("update casino.wallets set balance_minor = 0")


def test_a_schema_of_another_revision_is_not_judged(books: str) -> None:
    with psycopg.connect(books) as connection:
        connection.execute("update casino.alembic_version set version_num = '0001'")
    with pytest.raises(CannotRead, match="casino migrate"):
        look(books)


def test_the_command_runs_as_a_process_of_its_own(sound_books: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "casino", "check-ledger", "--database", sound_books],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (finished.returncode, finished.stdout, finished.stderr) == (
        0, "ledger 1: 2 wallets, 9 transactions: whole\n", "",
    )  # fmt: skip
