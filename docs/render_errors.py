"""Renders docs/errors.md from the error tables of both services and the provider's table of actions.

python docs/render_errors.py            writes the page
python docs/render_errors.py --print    prints it; a test compares that with the page
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import casino.api.errors
import casino.errors
import provider.errors
from provider.wallet_client.actions import ACTIONS

PAGE = Path(__file__).parent / "errors.md"
HEAD = """# Errors

Rendered by `make docs` from the tables in `casino/errors.py`, `casino/api/errors.py`, `provider/errors.py` and
`provider/wallet_client/actions.py`: change those, never this page. An error is
`{"error": "<sentence>", "code": "<code>", "requestId": "…"}`, with `field` or `serverTime` where they help; the
operator's platform answers `{"ok": false, "code": "<CODE>", "message": "<sentence>", "requestId": "…"}`. The status
alone tells a program what to do; the code says why; the sentence is for a person.
"""


class Row(Protocol):
    """What both services' tables have in common."""

    @property
    def code(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def advice(self) -> str: ...
    @property
    def sentence(self) -> str: ...


def render() -> str:
    """The whole page."""
    return "\n".join(
        [
            HEAD,
            *_answers("What casino-service answers", casino.errors.ERRORS.values()),
            *_answers("What the operator's platform answers (`/api/v1`)", casino.api.errors.API_ERRORS.values()),
            *_answers("What provider-service answers", provider.errors.ERRORS.values()),
            *_actions(),
        ]
    )


def _answers(title: str, rows: Iterable[Row]) -> list[str]:
    lines = [f"## {title}", "", "| status | code | sentence | the caller |", "|---|---|---|---|"]
    ordered = sorted(rows, key=lambda row: (row.status, row.code))
    return [*lines, *(f"| {row.status} | `{row.code}` | {row.sentence} | {row.advice} |" for row in ordered), ""]


def _actions() -> list[str]:
    lines = [
        "## What provider-service does with a wallet's answer",
        "",
        "| status | code | next step | takes no new bet | alarms |",
        "|---|---|---|---|---|",
    ]
    for code, action in sorted(ACTIONS.items(), key=lambda item: (item[1].status, item[0])):
        stops, alarms = ("yes" if flag else "" for flag in (action.stops_session, action.alarms))
        lines.append(f"| {action.status} | `{code}` | {action.step.value} | {stops} | {alarms} |")
    return [*lines, ""]


if __name__ == "__main__":
    if "--print" in sys.argv:
        sys.stdout.write(render())
    else:
        PAGE.write_text(render(), "utf-8")
