"""Reports a run: as JSON, as a table, and as a progress bar during the run."""

import sys
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from provider.reconciliation.queries import Difference, ReconciliationBooks
from provider.reconciliation.run import Progress

PAGE_ROWS: Final = 1000
COULD_NOT_FINISH: Final = 2
ROWS_SHOWN_MAX: Final = 200
PIPE_COLUMNS: Final = 240
STEPS: Final = {
    "feed": "reading the wallet's feed",
    "books": "looking for transactions that it lacks",
    "repairs": "repairing",
}
FAILURES: Final = {
    "wallet_away": "the wallet gave no usable answer, see reconciliation_stopped in the log",
    "feed_refused": "the wallet's feed breaks a rule of the protocol, see reconciliation_stopped in the log",
    "feed_without_end": "the wallet's feed has more pages than a run may read",
    "too_many_differences": "there are more differences than a run may report",
    "too_long": "it took longer than a run may take; the differences so far are recorded",
    "books_away": "these books' database became unavailable",
    "interrupted": "it was stopped, or another run took over",
}
"""Sentences for the codes of unfinished runs."""


def unfinished(why: str) -> dict[str, Any]:
    """The report of a run that could not begin. `why`: a sentence."""
    return {"runId": None, "exitStatus": COULD_NOT_FINISH, "failure": why, "differences": []}


async def report_of(books: ReconciliationBooks, run_id: int, *, exit_status: int) -> dict[str, Any]:
    """The report of an ended run, as `--json` prints it."""
    run = await books.run(run_id)
    found: list[dict[str, Any]] = []
    after = 0
    while page := await books.differences_page(run_id, after, PAGE_ROWS):
        after = page[-1].difference_id
        found.extend(_shown(difference) for difference in page)
    return {
        "runId": run_id,
        "exitStatus": exit_status,
        "failure": run.failure,
        "compared": run.compared,
        "open": run.open_count,
        "found": len(found),
        "healed": sum(each["healedBy"] is not None for each in found),
        "differences": found,
    }


def _shown(difference: Difference) -> dict[str, Any]:
    return {
        "kind": difference.kind,
        "userId": difference.user_id,
        "transactionId": difference.transaction_id,
        "ours": difference.ours,
        "theirs": difference.theirs,
        "proposedRepair": difference.proposed_repair,
        "foundAt": difference.found_at.isoformat(timespec="milliseconds"),
        "healedBy": difference.healed_by,
    }


class ProgressBar:
    """A progress bar on standard error; standard output is for the result."""

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
        """Set the estimated number of transactions to compare."""
        self._bar.update(self._task, total=transactions or None)

    def shows(self, progress: Progress) -> None:
        """Show the progress of the run."""
        said = f"{STEPS[progress.step]}, {progress.found} differences"
        self._bar.update(self._task, completed=progress.compared, description=said)


def print_report(report: dict[str, Any]) -> None:
    """Print the table of differences and a summary line."""
    # In a file or a pipe do not wrap: a wrapped id cannot be searched for.
    console = Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    if report["differences"]:
        console.print(_table(report["differences"][:ROWS_SHOWN_MAX]))
    hidden = len(report["differences"]) - ROWS_SHOWN_MAX
    if hidden > 0:
        console.print(f"… and {hidden} more: --json prints all", highlight=False)
    if report["failure"] is not None:
        why = FAILURES.get(report["failure"], report["failure"])
        console.print(f"The run could not finish: {escape(why)}", highlight=False)
    if report["runId"] is not None:
        said = f"{report['compared']} compared, {report['open']} under way, {report['found']} differences"
        console.print(f"Run {report['runId']}: {said}, {report['healed']} healed", highlight=False)


def _table(differences: list[dict[str, Any]]) -> Table:
    table = Table("kind", "transaction", "player", "ours", "theirs", "what to do", show_lines=True)
    for each in differences:
        done = each["healedBy"]
        row = (
            each["kind"],
            each["transactionId"],
            each["userId"],
            _told(each["ours"]),
            _told(each["theirs"]),
            f"healed: {done}" if done else each["proposedRepair"],
        )
        table.add_row(*(escape(text) for text in row))
    return table


def _told(shown: dict[str, Any] | None) -> str:
    if shown is None:
        return "—"
    if "unreadable" in shown:
        return f"unreadable: {shown['unreadable']}"
    return f"{shown['type']} {shown['amount']} {shown['currency']}, {shown['state']}, round {shown['roundId']}"
