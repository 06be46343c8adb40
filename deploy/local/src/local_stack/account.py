"""Chooses the operating-system account that runs the database server, and checks which folders it can enter.

PostgreSQL refuses to run as root, so root runs it as an unprivileged account. Other users run it themselves.
"""

import os
import pwd
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CANDIDATES = ("postgres", "nobody")
SHARED = Path("/var/lib/local-stack")  # not a temporary folder: the system deletes those


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """The account to change to; None when the present one is not root."""
    if os.geteuid() != 0:
        return None
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise RuntimeError(f"running as root needs one of the accounts {', '.join(CANDIDATES)} to run PostgreSQL under")


def run_as(account: Account | None, argv: Sequence[str | Path], *, timeout_seconds: float) -> str:
    """Run a short program and return its output. Raises RuntimeError with the output when it fails."""
    try:
        done = subprocess.run(  # noqa: S603
            [str(word) for word in argv],
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
    except PermissionError as error:
        raise RuntimeError(f"{argv[0]} cannot be run by {account.name if account else 'this account'}") from error
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} ended with {done.returncode}: {done.stdout.strip()}")
    return done.stdout


def can_enter(account: Account | None, folder: Path) -> bool:
    """Whether the account can enter the folder. Tries it, because mode bits do not tell everything."""
    try:
        run_as(account, ["/bin/sh", "-c", 'cd "$1"', "sh", folder], timeout_seconds=5)
    except RuntimeError:
        return False
    return True


def shared_folder(account: Account, private: Path) -> Path:
    """A folder that only root can write to and every account can enter, for files that cannot be in `private`."""
    try:
        SHARED.mkdir(mode=0o755, parents=True, exist_ok=True)
        refuse_foreign(SHARED)
        SHARED.chmod(0o755)  # mkdir applies the umask
    except OSError as error:
        raise RuntimeError(
            f"the account {account.name} cannot enter {private}, and {SHARED} cannot be made ({error.strerror}):"
            " set STACK_STATE_DIR to a folder that every account can enter, and keep the checkout in such a folder"
        ) from error
    return SHARED


def refuse_foreign(folder: Path) -> None:
    """Raise RuntimeError when another account could write to the folder: it could change programs or data."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise RuntimeError(f"{folder} is not a folder that only this account can write to: remove it")
