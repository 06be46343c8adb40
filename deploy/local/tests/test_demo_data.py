"""`make demo-data`: made while no stack runs (test_serve.py has the refusal beside one), and only once."""

from pathlib import Path

from local_stack.cluster import remove_cluster
from local_stack_testing.serving import clean_environment, free_ports, run_command

BETS = "demo-data --bets 100"


def test_the_history_is_made_while_the_stack_is_stopped(tmp_path: Path) -> None:
    state = tmp_path / "state"
    environment = clean_environment() | free_ports() | {"STACK_STATE_DIR": str(state)}
    made = run_command(BETS, environment)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "The demo data is there: " in made.stdout
    assert "making thirty days" in made.stderr, "the progress is on standard error"
    again = run_command(BETS, environment)
    assert (again.returncode, "there already" in again.stdout) == (0, True), again.stdout + again.stderr
    remove_cluster(state)
