"""`make demo-data`: refused beside a running stack, made on the stopped one, and only once."""

from pathlib import Path

from local_stack.cluster import remove_cluster
from local_stack_testing.serving import run_command, serving

BETS = "demo-data --bets 100"


def test_the_history_is_made_while_the_stack_is_stopped(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(state) as stack:
        beside = run_command(BETS, stack.environment)
        assert (beside.returncode, "another stack is running" in beside.stderr) == (1, True), beside.stderr
        stack.stop()
    made = run_command(BETS, stack.environment)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "The demo data is there: " in made.stdout
    assert "making thirty days" in made.stderr, "the progress is on standard error"
    again = run_command(BETS, stack.environment)
    assert (again.returncode, "there already" in again.stdout) == (0, True), again.stdout + again.stderr
    remove_cluster(state)
