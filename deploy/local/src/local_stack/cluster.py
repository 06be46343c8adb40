"""Creates the files of a PostgreSQL cluster and its configuration. `postgres.py` runs the server."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from local_stack.account import Account, can_enter, run_as, shared_folder
from local_stack.ports import HOST

SUPERUSER = "postgres"
MADE = "postgres.made"
INITDB_TIMEOUT_SECONDS = 120

# Always on, because an answered debit must survive a power cut. `Postgres` refuses to override them.
DURABLE = MappingProxyType({"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"})

# Faster with the same durability: fewer checkpoints, a cache that fits a laptop, no JIT for short statements.
TUNED = MappingProxyType(
    {
        "max_connections": "200",
        "shared_buffers": "256MB",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        "random_page_cost": "1.1",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "log_checkpoints": "off",
    }
)


class DataLostError(RuntimeError):
    """The stack had a database that is gone. A new, empty one must not silently replace it."""


def place_cluster(state_dir: Path, account: Account | None) -> Path:
    """Create the cluster's folder in the state folder, owned by the account that runs the server.

    Raises DataLostError when an earlier cluster is gone.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    cluster = state_dir / "postgres"
    _refuse_lost(state_dir, cluster)
    if account is None:
        cluster.mkdir(mode=0o700, exist_ok=True)
        return cluster
    state_dir.chmod(state_dir.stat().st_mode | 0o011)
    if not cluster.exists():
        if can_enter(account, state_dir):
            cluster.mkdir(mode=0o700)
        else:
            cluster.symlink_to(_folder_elsewhere(state_dir, account))
    os.chown(cluster, account.uid, account.gid)
    return cluster


def _refuse_lost(state_dir: Path, cluster: Path) -> None:
    made = state_dir / MADE
    if (cluster / "data" / "PG_VERSION").exists():
        return
    if made.exists() or (cluster.is_symlink() and not cluster.exists()):
        location = made.read_text("utf-8").strip() if made.exists() else str(cluster.readlink())
        raise DataLostError(
            f"this stack's database was in {location} and is gone: put it back, or remove {state_dir} for a new one"
        )


def remember_cluster(state_dir: Path) -> None:
    """Record the location of a complete cluster, so that a later start notices its loss."""
    made = state_dir / MADE
    if not made.exists():
        made.write_text(f"{(state_dir / 'postgres').resolve()}\n", "utf-8")


def _folder_elsewhere(state_dir: Path, account: Account) -> Path:
    """A shared folder for the cluster, when the server's account cannot enter the state folder (such as /root)."""
    digest = hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:16]
    folder = shared_folder(account, state_dir) / f"data-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid not in {os.geteuid(), account.uid}:
        raise RuntimeError(f"{folder} belongs to somebody else: remove it or choose another state folder")
    if (folder / "data").exists():
        raise RuntimeError(
            f"{folder} holds the database of an earlier {state_dir}, whose passwords are gone: remove it for a new one"
        )
    return folder


def remove_cluster(state_dir: Path) -> None:
    """Delete a stopped cluster, also when its files are in a shared folder."""
    cluster = state_dir / "postgres"
    shutil.rmtree(cluster.resolve(), ignore_errors=True)
    cluster.unlink(missing_ok=True)
    (state_dir / MADE).unlink(missing_ok=True)


def initialise(data_dir: Path, *, bin_dir: Path, account: Account | None, password: str) -> None:
    """Run initdb under another name and rename the result, so that an interrupted start leaves no partial cluster."""
    building = data_dir.with_name("data.new")
    shutil.rmtree(building, ignore_errors=True)
    password_file = data_dir.with_name("superuser-password")
    password_file.unlink(missing_ok=True)
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    give_to(account, password_file)
    try:
        run_as(
            account,
            [
                bin_dir / "initdb",
                *("-D", building.resolve(), "-U", SUPERUSER, f"--pwfile={password_file.resolve()}"),
                *("--auth=scram-sha-256", "--data-checksums", "--encoding=UTF8", "--locale=C"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"),
            ],
            timeout_seconds=INITDB_TIMEOUT_SECONDS,
        )
    finally:
        password_file.unlink()
    with (building / "postgresql.conf").open("a") as conf:
        conf.write("\ninclude 'stack.conf'\n")
    building.rename(data_dir)


def write_settings(data_dir: Path, settings: Mapping[str, str], *, port: int, account: Account | None) -> None:
    """Write the settings for the next start. The server listens on loopback only, without a Unix socket."""
    fixed = {"listen_addresses": HOST, "port": str(port), "unix_socket_directories": ""}
    escaped = {name: value.replace("'", "''") for name, value in {**TUNED, **settings, **DURABLE, **fixed}.items()}
    path = data_dir / "stack.conf"
    path.write_text("".join(f"{name} = '{value}'\n" for name, value in escaped.items()))
    give_to(account, path)


def give_to(account: Account | None, path: Path) -> None:
    if account:
        os.chown(path, account.uid, account.gid)
