"""Prints the auditing commands' results: a progress bar, a table of findings, the history of a transaction."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from casino.audit.ledger_check import Examination

PLAIN_WIDTH: Final = 240
"""The width of the output without a terminal, so that a row stays on one line."""


def console() -> Console:
    """Returns the console for results."""
    return Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)


class Bar:
    """A progress bar on standard error. Standard output has only the result."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
        self._task = self._progress.add_task("transactions", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def expects(self, transactions: int) -> None:
        """Set the total."""
        self._progress.update(self._task, total=transactions)

    def advances(self, transactions: int, found: int) -> None:
        """Count a finished page."""
        self._progress.update(self._task, advance=transactions, description=f"transactions, {found} rules broken")


def print_examination(examination: Examination) -> None:
    """Print a table of findings, or one line without findings."""
    out = console()
    looked = f"ledger {examination.ledger_id}: {examination.wallets} wallets, {examination.transactions} transactions"
    if examination.heads:
        looked += f", {examination.heads} recorded heads"
    if examination.heads_of_others:
        looked += f" ({examination.heads_of_others} of other casinos left out)"
    if not examination.findings:
        out.print(f"{looked}: whole", highlight=False)
        return
    table = Table(title=f"{looked}: not whole", title_justify="left")
    for name in ("rule", "player", "first transaction", "expected", "found", "rows"):
        table.add_column(name, overflow="fold")
    for finding in examination.findings.values():
        cells = (finding.rule, finding.player_id, finding.transaction_id, finding.expected, finding.found, finding.rows)
        table.add_row(*("" if cell is None else escape(str(cell)) for cell in cells))
    out.print(table)


def print_life(life: Mapping[str, Any]) -> None:
    """Print a transaction's history: its facts, and a table for each list in it."""
    out = console()
    facts = Table.grid(padding=(0, 2))
    for name, value in life.items():
        if isinstance(value, Mapping):
            facts.add_row(name, escape(", ".join(f"{key} {part}" for key, part in value.items() if part is not None)))
        elif value is not None and not isinstance(value, list):
            facts.add_row(name, escape(str(value)))
    out.print(facts)
    for name, rows in life.items():
        if isinstance(rows, list) and rows:
            table = Table(title=name, title_justify="left")
            for column in rows[0]:
                table.add_column(column, overflow="fold")
            for row in rows:
                table.add_row(*("" if cell is None else escape(str(cell)) for cell in row.values()))
            out.print(table)
