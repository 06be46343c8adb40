"""Row A5 in short: the primary dies under load, its synchronous standby takes over, the former primary comes back.

The long form with figures, also of an asynchronous standby (Row A6), is `make failover`.
"""

import pytest

from faults.failover import asked_directly
from local_stack.testing import PostgresServer

# A minute where nothing else runs beside it: every answer is asked for again, one after the other.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_failover_to_a_synchronous_standby_loses_nothing_and_nobody_writes_to_the_former_primary(
    server: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Row A5. `server` says that this run may start and break servers of its own."""
    asked_directly(0.5, stray_seconds=1.0)
    figures = dict(line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if " | " in line)
    assert figures["lost"] == "0"
    assert figures["transactions written to the former primary"] == "0"
    assert figures["former primary after pg_rewind"] == "follows as a standby"
