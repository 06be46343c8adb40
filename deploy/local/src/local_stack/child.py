"""Starts child processes that end with this one (on Linux), with their output in files."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from local_stack import run_child
from local_stack.account import Account

LOG_BYTES_MAX = 64 * 1024 * 1024  # a larger file is renamed to .log.old at the next start


def start_child(
    argv: Sequence[str | Path],
    log_path: Path | None,
    *,
    environment: Mapping[str, str],
    dies_with: signal.Signals = signal.SIGKILL,
    account: Account | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in its own session: Ctrl-C reaches only this process, which stops its children in order.

    Its output goes to the log, or to this process's own output.

    Call it from the main thread: Linux signals the child when the starting thread ends. `dies_with`: that signal.
    """
    uid, gid = (account.uid, account.gid) if account else (run_child.KEEP_ACCOUNT, run_child.KEEP_ACCOUNT)
    command = [sys.executable, "-I", "-S", run_child.__file__, dies_with, os.getpid(), uid, gid, *argv]
    if log_path and log_path.exists() and log_path.stat().st_size > LOG_BYTES_MAX:
        log_path.replace(log_path.with_suffix(".log.old"))
    with log_path.open("ab") if log_path else nullcontext() as log:
        return subprocess.Popen(  # noqa: S603
            [str(int(word)) if isinstance(word, int) else str(word) for word in command],
            cwd="/",
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT if log else None,
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
