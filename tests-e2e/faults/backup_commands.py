"""The commands of docs/postgres.md, read from the page itself and run unchanged, as an operator would run them."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from faults.postgres_standby import ask, wait_for_answer
from local_stack.account import server_account
from local_stack.child import last_lines, start_child
from local_stack.postgres import Postgres
from shared_service_testing.waiting import wait_until

PAGE = Path(__file__).parent.parent.parent / "docs" / "postgres.md"
BLOCK = re.compile(r"^<!-- drill: ([a-z ]+) -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND_SECONDS_MAX = 300
RECEIVING = "select count(*)::text from pg_stat_replication where application_name = 'pg_receivewal'"
RUN: set[str] = set()
"""The blocks that were run, for whoever promises to drill them all."""
STORED = "select (pg_current_wal_lsn() <= flush_lsn)::text from pg_stat_replication"


def command(block: str) -> str:
    """A block as it is printed; it counts as run."""
    RUN.add(block)
    return printed_commands()[block]


def printed_commands() -> dict[str, str]:
    """The drilled blocks of the page, by name."""
    found = BLOCK.findall(PAGE.read_text("utf-8"))
    blocks = dict(found)
    assert len(blocks) == len(found), "two blocks have one name"
    return blocks


def at_the_server(server: Postgres, block: str, **variables: object) -> str:
    """Run a block as the account that runs the server, with its programs; answers what it printed."""
    account = server_account()
    done = subprocess.run(
        ["/bin/sh", "-euc", command(block)],
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        cwd="/",
        env=_environment(server, variables),
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, f"{block} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def at_the_service(
    block: str, environment: Mapping[str, str], *, to_the_end: bool = False, **variables: object
) -> subprocess.CompletedProcess[str]:
    """Run a block where the services' programs and settings are; to its end, whatever a command of it says."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["/bin/sh", "-uc" if to_the_end else "-euc", command(block)],
        env={**environment, **_texts(variables), "PATH": programs},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS_MAX,
        check=False,
    )


@contextmanager
def receiving(server: Postgres, log_path: Path, **variables: object) -> Iterator[None]:
    """The receiver of the WAL runs beside the block."""
    child = start_child(
        ["/bin/sh", "-euc", command("receive")],
        log_path,
        environment=_environment(server, variables),
        dies_with=signal.SIGTERM,
        account=server_account(),
    )
    try:
        wait_until(lambda: ask(server, RECEIVING) == [("1",)], lambda: f"nothing is received:\n{last_lines(log_path)}")
        yield
    finally:
        os.killpg(child.pid, signal.SIGTERM)
        child.wait(COMMAND_SECONDS_MAX)


def wait_until_stored(server: Postgres) -> None:
    """Everything that was written until now is on the receiver's disk."""
    wait_for_answer(server, STORED, "true")


def moment_between(server: Postgres) -> str:
    """A time of the server's clock that no commit has: before it everything that was answered, after it the rest."""
    time.sleep(0.01)
    moment: str = ask(server, "select clock_timestamp()::text")[0][0]
    time.sleep(0.01)
    return moment


def address(server: Postgres, database: str = "postgres") -> str:
    """Without a password, as on the page."""
    return f"postgresql://postgres@127.0.0.1:{server.port}/{database}"


def _environment(server: Postgres, variables: Mapping[str, object]) -> dict[str, str]:
    own = {"PATH": f"{server.bin_dir}:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": "/nonexistent"}
    return own | {"SERVER": address(server), "PGPASSWORD": server.passwords.of("postgres")} | _texts(variables)


def _texts(variables: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in variables.items()}
