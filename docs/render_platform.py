"""Renders the tables of docs/platform.md: who may do what, and every route, as the running application has them.

python docs/render_platform.py            writes them between their marks
python docs/render_platform.py --print    prints the page; a test compares that with the page
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from casino.api.operations import Operation
from casino.api.permissions import AUDITOR, PERMISSIONS, READ_BY_AUDITORS, ROLES
from casino.app import create_app
from casino.openapi.platform import summary_of, who_may
from casino.settings import Settings

PAGE = Path(__file__).parent / "platform.md"
ENVIRONMENT = {"CASINO_DEMO": "1", "CASINO_DATABASE_URL": "postgresql://nobody@127.0.0.1/nothing"}
"""Nothing connects: the routes are made, and not served."""


def render(page: str) -> str:
    """The page with its tables anew."""
    operations = create_app(Settings.from_environment(ENVIRONMENT)).state.operations
    return _between(_between(page, "permissions", _permissions()), "routes", _routes(operations))


def _between(page: str, name: str, lines: Iterable[str]) -> str:
    mark, end = f"<!-- rendered: {name} -->", "<!-- end -->"
    pattern = re.compile(f"{re.escape(mark)}\n.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(page)) != 1:
        raise ValueError(f"the page has not one place for {name}")
    return pattern.sub(lambda _: "\n".join((mark, *lines, end)), page)


def _permissions() -> list[str]:
    lines = [f"| permission | {' | '.join(ROLES)} |", f"|{'---|' * (len(ROLES) + 1)}"]
    for name, roles in PERMISSIONS.items():
        cells = [_cell(name, role, roles) for role in ROLES]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return lines


def _cell(name: str, role: str, roles: frozenset[str]) -> str:
    if role in roles:
        return "x"
    return "reads" if role == AUDITOR and name in READ_BY_AUDITORS else ""


def _routes(operations: Iterable[Operation]) -> list[str]:
    lines = ["| call | what it does | who may | its own codes |", "|---|---|---|---|"]
    for each in sorted(operations, key=lambda each: (each.path, each.method)):
        codes = ", ".join(f"`{code}`" for code in dict.fromkeys((*each.codes, *each.field_codes.values())))
        lines.append(f"| `{each.method} {each.path}` | {summary_of(each)} | {who_may(each)} | {codes} |")
    return lines


if __name__ == "__main__":
    text = render(PAGE.read_text("utf-8"))
    if "--print" in sys.argv:
        sys.stdout.write(text)
    else:
        PAGE.write_text(text, "utf-8")
