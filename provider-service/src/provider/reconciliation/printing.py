"""What people see of reconciliation on a terminal: a progress bar, a table of differences, a life of a transaction.

Owns layout only. It must never decide anything, and never print what is not in the report.
"""

import sys
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from provider.reconciliation.lease import Progress

ROWS_SHOWN_MAX: Final = 200
PIPE_COLUMNS: Final = 240
STEPS: Final = {"feed": "reading the wallet's feed", "books": "looking for what it lacks", "repairs": "repairing"}


class Watcher:
    """A progress bar on standard error, so that standard output is the result and nothing else."""

    def __init__(self, *, shown: bool) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        console = Console(stderr=True)
        self._bar = Bar(*columns, TimeElapsedColumn(), console=console, disable=not shown or not sys.stderr.isatty())
        self._task = self._bar.add_task(STEPS["feed"], total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def expects(self, transactions: int) -> None:
        """About how many there are to compare."""
        self._bar.update(self._task, total=transactions or None)

    def shows(self, progress: Progress) -> None:
        """Show how far the run is."""
        said = f"{STEPS[progress.step]}, {progress.found} differences"
        self._bar.update(self._task, completed=progress.compared, description=said)


def print_report(report: dict[str, Any]) -> None:
    """The table of differences and one line that sums up."""
    # In a file or a pipe there is no edge to wrap at: an id that is cut in two is found by nobody.
    console = Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    if report["differences"]:
        console.print(_table(report["differences"][:ROWS_SHOWN_MAX]))
    hidden = len(report["differences"]) - ROWS_SHOWN_MAX
    if hidden > 0:
        console.print(f"… and {hidden} more: --json prints all", highlight=False)
    if report["failure"] is not None:
        console.print(f"The run could not finish: {escape(report['failure'])}", highlight=False)
    if report["runId"] is not None:
        said = f"{report['compared']} compared, {report['open']} under way, {report['found']} differences"
        console.print(f"Run {report['runId']}: {said}, {report['healed']} healed", highlight=False)


def print_life(life: dict[str, Any]) -> None:
    """A life of a transaction, from its intent to its end."""
    console = Console(highlight=False, soft_wrap=True)
    _print_members(console, life, 0)


def _print_members(console: Console, members: dict[str, Any], depth: int) -> None:
    indent = "  " * depth
    for name, value in members.items():
        if isinstance(value, dict):
            console.print(f"{indent}{name}:", markup=False)
            _print_members(console, value, depth + 1)
        elif isinstance(value, list):
            console.print(f"{indent}{name}: {len(value) or 'none'}", markup=False)
            for number, each in enumerate(value, start=1):
                console.print(f"{indent}  {number}.", markup=False)
                _print_members(console, each, depth + 2)
        elif value is not None:
            console.print(f"{indent}{name}: {value}", markup=False)


def _table(differences: list[dict[str, Any]]) -> Table:
    table = Table("kind", "transaction", "player", "ours", "theirs", "what to do", show_lines=True)
    for each in differences:
        done = each["healedBy"]
        row = (
            each["kind"],
            each["transactionId"],
            each["userId"],
            _side(each["ours"]),
            _side(each["theirs"]),
            f"healed: {done}" if done else each["proposedRepair"],
        )
        table.add_row(*(escape(text) for text in row))
    return table


def _side(side: dict[str, Any] | None) -> str:
    if side is None:
        return "—"
    if "unreadable" in side:
        return f"unreadable: {side['unreadable']}"
    return f"{side['type']} {side['amount']} {side['currency']}, {side['state']}, round {side['roundId']}"
