"""A child process that never outlives this one, with its output in a file.

Every long-running program of the stack is started through here. Must never start anything through a shell.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local_stack import leash
from local_stack.account import Account

LOG_BYTES_MAX = 64 * 1024 * 1024  # a larger one is put aside at the next start; of those, only the last is kept


def start_child(
    argv: Sequence[str | Path],
    log_path: Path,
    *,
    environment: Mapping[str, str],
    dies_with: signal.Signals = signal.SIGKILL,
    account: Account | None = None,
) -> subprocess.Popen[bytes]:
    """Starts a program in a session of its own, so that Ctrl-C reaches only this process, which stops them in order.

    Must be called from the main thread: Linux takes the death of the starting thread for the death of the parent.
    """
    uid, gid = (account.uid, account.gid) if account else (leash.KEEP_ACCOUNT, leash.KEEP_ACCOUNT)
    leashed = [sys.executable, "-I", "-S", leash.__file__, dies_with, os.getpid(), uid, gid, *argv]
    if log_path.exists() and log_path.stat().st_size > LOG_BYTES_MAX:
        log_path.replace(log_path.with_suffix(".log.old"))
    with log_path.open("ab") as log:
        return subprocess.Popen(  # noqa: S603
            [str(int(word)) if isinstance(word, int) else str(word) for word in leashed],
            cwd="/",
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def last_lines(path: Path, *, count: int = 20) -> str:
    """The end of a log, for an error message."""
    tail_bytes = 16_384
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - tail_bytes))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return ""
