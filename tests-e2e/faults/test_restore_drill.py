"""What docs/postgres.md prints about backups works, and after a restore both sides go on: the drill in short.

The long form, with every way of the page, is `make restore-drill`, which `make nightly` runs.
"""

import re

import pytest

from faults.backup_commands import PAGE, printed_commands
from faults.restore_drill import run_in_short
from local_stack.testing import PostgresServer

SECTION = re.compile(r"^## Backup and restore\n(.*?)(?:^## |\Z)", re.MULTILINE | re.DOTALL)


def test_every_command_about_backups_on_the_page_is_drilled() -> None:
    section = SECTION.search(PAGE.read_text("utf-8"))
    assert section is not None
    assert section[1].count("```sh\n") == len(printed_commands()) > 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_server_that_is_lost_is_restored_as_the_page_says_and_play_goes_on(
    server: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Row A10. `server` says that this run may start and break servers of its own."""
    run_in_short(0.3)
    figures = dict(line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if " | " in line)
    assert figures["acknowledged answers that are lost"] == "0"
    assert figures["casino serve before it"] == "refused, names the command"
