"""Scripts for pgbench, without the service: one transaction and one durable commit per call.

The strongest form that pgbench has: prepared statements, one thread, and clients that keep to rows of their own, so
that none waits for another.
"""

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from bench.measurements import Sample, UnsoundRoundError
from bench.players import PLAYER_PREFIX, TOKEN_HASH_SQL

CLIENTS: Final = 32
GRACE_SECONDS: Final = 60.0
LONGER: Final = (1, 4, 16)
"""Its time begins before it connects: where a machine stood still, a second is over before the first transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What each client does again and again, and the statement that counts what was written."""

    text: str
    counted_by: str
    set_up: str | None = None


_NUMBER: Final = "(:n)::integer"
_ID: Final = "(:t)::bigint"
_OWN_ROW: Final = """\\set n :client_id * {rows_each} + random(1, {rows_each})
\\set t random(1, 9000000000000000)
"""


def wallet_function(*, ledger_id: int, player_count: int) -> Script:
    """The casino's own function with the service's own commands: it writes the same rows as a signed debit."""
    call = f"""select * from casino.execute_wallet_commands({ledger_id}, format(
    '[{{"kind":"debit","tokenHash":"%s","playerId":"{PLAYER_PREFIX}%s","transactionId":"t-%s","roundId":"r-%s","amount":1000,"requestId":"bench","signedBy":"bench"}}]',
    encode({TOKEN_HASH_SQL.format(n=_NUMBER)}, 'hex'), {_NUMBER}, {_ID}, {_ID}
)::jsonb);
"""
    return Script(
        text=_OWN_ROW.format(rows_each=player_count // CLIENTS) + call,
        counted_by="select count(*) from casino.transactions",
    )


def plain_ledger(*, account_count: int) -> Script:
    """A plain ledger in SQL: a checked balance, a unique transaction id and two postings that sum to zero.

    It has no session, nonce, signature, hash chain or feed. One statement, so one round trip, for each debit.
    """
    return Script(
        set_up=f"""
            create schema plain_ledger;
            create table plain_ledger.accounts (
                account_id bigint primary key, balance_minor bigint not null check (balance_minor >= 0)
            );
            create table plain_ledger.transactions (
                transaction_id text primary key, account_id bigint not null references plain_ledger.accounts,
                amount_minor bigint not null, balance_after_minor bigint not null,
                created_at timestamptz not null default clock_timestamp()
            );
            create table plain_ledger.postings (
                transaction_id text not null references plain_ledger.transactions, account text not null,
                amount_minor bigint not null, primary key (transaction_id, account)
            );
            insert into plain_ledger.accounts select n, 1000000000000 from generate_series(1, {account_count}) as n;
            analyze plain_ledger.accounts
        """,
        text=_OWN_ROW.format(rows_each=account_count // CLIENTS)
        + """with account as (
    update plain_ledger.accounts set balance_minor = balance_minor - 1000
    where account_id = (:n)::bigint and balance_minor >= 1000 returning account_id, balance_minor
), entry as (
    insert into plain_ledger.transactions (transaction_id, account_id, amount_minor, balance_after_minor)
    select 't-' || :t, account_id, -1000, balance_minor from account returning transaction_id
)
insert into plain_ledger.postings (transaction_id, account, amount_minor)
select entry.transaction_id, side.account, side.amount_minor
from entry cross join (values ('wallet', -1000), ('house', 1000)) as side (account, amount_minor);
""",
        counted_by="select count(*) from plain_ledger.transactions",
    )


SMALL_COMMIT: Final = Script(
    set_up="create schema small_commit; create table small_commit.rows (number bigint not null)",
    text="insert into small_commit.rows (number) values (:client_id);\n",
    counted_by="select count(*) from small_commit.rows",
)
"""One row without an index: what a durable commit costs on this machine, and how many share one flush."""


def prepare(url: str, script: Script) -> Script:
    """Create the script's tables, as the superuser; answers the script."""
    if script.set_up is not None:
        with psycopg.connect(url) as connection:
            connection.execute(script.set_up.encode())
    return script


def run_pgbench(bin_dir: Path, url: str, script: Script, *, seconds: float, clients: int = CLIENTS) -> Sample:
    """One round. Raises UnsoundRoundError unless the tables hold as many new rows as pgbench counts transactions."""
    for longer in LONGER:
        said = _said_by_pgbench(bin_dir, url, script, clients=clients, seconds=seconds * longer)
        if _transactions(said):
            break
    return Sample(
        value=float(_found(r"tps = ([\d.]+)", said)), p50_ms=float(_found(r"latency average = ([\d.]+) ms", said))
    )


def counted(url: str, script: Script) -> int:
    with psycopg.connect(url) as connection:
        (count,) = connection.execute(script.counted_by.encode()).fetchone() or (0,)
        return int(count)


def _said_by_pgbench(bin_dir: Path, url: str, script: Script, *, clients: int, seconds: float) -> str:
    before = counted(url, script)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "script.sql"
        file.write_text(script.text)
        finished = subprocess.run(
            [
                str(bin_dir / "pgbench"),
                "--no-vacuum",
                "--protocol=prepared",
                f"--client={clients}",
                "--jobs=1",
                f"--time={max(1, round(seconds))}",
                f"--file={file}",
                url,
            ],
            capture_output=True,
            text=True,
            timeout=seconds + GRACE_SECONDS,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            check=False,
        )
    if finished.returncode != 0:
        raise UnsoundRoundError(f"pgbench failed: {finished.stderr[-2_000:]}")
    written, done = counted(url, script) - before, _transactions(finished.stdout)
    if written != done:
        raise UnsoundRoundError(f"pgbench counts {done} transactions, the tables hold {written} more")
    return finished.stdout


def _transactions(text: str) -> int:
    return int(_found(r"number of transactions actually processed: (\d+)", text))


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise UnsoundRoundError(f"pgbench said something unexpected: {text[-2_000:]}")
    return found[1]
