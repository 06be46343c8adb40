"""The wallet's database function called by pgbench, without the service: one command per call and commit.

The strongest form that pgbench has: prepared statements, one thread, and clients that keep to wallets of their own,
so that none waits for another. It writes the same rows as the service's own debits.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from bench.measurements import Sample, UnsoundRoundError
from bench.players import PLAYER_PREFIX, TOKEN_HASH_SQL, count_transactions

CLIENTS: Final = 32
GRACE_SECONDS: Final = 60.0
LONGER: Final = (1, 4, 16)
"""Its time begins before it connects: where a machine stood still, a second is over before the first transaction."""

_NUMBER: Final = "(:n)::integer"
_ID: Final = "(:t)::bigint"
SCRIPT: Final = f"""\\set n :client_id * {{wallets_each}} + random(1, {{wallets_each}})
\\set t random(1, 9000000000000000)
select * from casino.execute_wallet_commands({{ledger_id}}, format(
    '[{{{{"kind":"debit","tokenHash":"%s","playerId":"{PLAYER_PREFIX}%s","transactionId":"t-%s","roundId":"r-%s","amount":1000,"requestId":"bench","signedBy":"bench"}}}}]',
    encode({TOKEN_HASH_SQL.format(n=_NUMBER)}, 'hex'), {_NUMBER}, {_ID}, {_ID}
)::jsonb);
"""


def run_pgbench(bin_dir: Path, url: str, *, ledger_id: int, player_count: int, seconds: float) -> Sample:
    for longer in LONGER:
        said = _said_by_pgbench(bin_dir, url, ledger_id=ledger_id, player_count=player_count, seconds=seconds * longer)
        if _transactions(said):
            break
    return Sample(
        value=float(_found(r"tps = ([\d.]+)", said)), p50_ms=float(_found(r"latency average = ([\d.]+) ms", said))
    )


def _said_by_pgbench(bin_dir: Path, url: str, *, ledger_id: int, player_count: int, seconds: float) -> str:
    before = count_transactions(url)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "debit.sql"
        script.write_text(SCRIPT.format(wallets_each=player_count // CLIENTS, ledger_id=ledger_id))
        finished = subprocess.run(
            [
                str(bin_dir / "pgbench"),
                "--no-vacuum",
                "--protocol=prepared",
                f"--client={CLIENTS}",
                "--jobs=1",
                f"--time={max(1, round(seconds))}",
                f"--file={script}",
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
    booked = count_transactions(url) - before
    done = _transactions(finished.stdout)
    if booked != done:
        raise UnsoundRoundError(f"pgbench counts {done} debits, the ledger {booked}")
    return finished.stdout


def _transactions(text: str) -> int:
    return int(_found(r"number of transactions actually processed: (\d+)", text))


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise UnsoundRoundError(f"pgbench said something unexpected: {text[-2_000:]}")
    return found[1]
