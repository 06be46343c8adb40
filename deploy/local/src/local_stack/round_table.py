"""Prints the verdict on a scripted round as a table and a final line."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from local_stack.scripted_round import Verdict

MISSING = "missing"


def print_verdict(console: Console, verdict: Verdict) -> None:
    table = Table(title="The scripted round", title_justify="left")
    table.add_column("step", justify="right")
    table.add_column("action")
    for heading in ("amount", "expected balance", "actual balance"):
        table.add_column(heading, justify="right")
    table.add_column("validates")
    table.add_column("verdict")
    for step in verdict.steps:
        table.add_row(
            str(step.number),
            step.action,
            step.amount,
            f"{step.expected_minor:,}",
            _amount(step.actual_minor),
            Text(step.validates),
            Text("FAILED", style="bold red") if step.reasons else Text("ok", style="green"),
        )
    console.print(table)
    for reason in verdict.reasons:
        console.print(Text(f"  {reason}", style="red"))
    style, word = ("bold green", "PASSED") if verdict.passed else ("bold red", "FAILED")
    console.print(Text(f"{word}  final balance {_amount(verdict.final_minor)} {verdict.currency}", style=style))


def _amount(minor: int | None) -> str:
    return MISSING if minor is None else f"{minor:,}"
