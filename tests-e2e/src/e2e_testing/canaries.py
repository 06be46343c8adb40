"""Canary secrets: values that stand out, so that a search finds them wherever one of them got to.

A failure shows the name of a value and where it was, never the value.
"""

import base64
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from e2e_testing.database import Database

TABLES = """
    select format('%%I.%%I', schemaname, tablename) as name from pg_tables where schemaname in ('casino', 'provider')
"""
PART_CHARS = 24
"""A leak of a part is a leak: each form is sought by its first characters, which are random."""


@dataclass(slots=True)
class Canaries:
    """The secrets of one test by name. `everywhere` may stand nowhere, `spoken` in tables only."""

    everywhere: dict[str, str] = field(default_factory=dict)
    spoken: dict[str, str] = field(default_factory=dict)

    def new(self, name: str) -> str:
        """A secret of 48 characters."""
        return self.keep(name, secrets.token_hex(24))

    def keep(self, name: str, value: str) -> str:
        """Add a secret that a service made."""
        self.everywhere[name] = value
        return value

    def say(self, name: str) -> str:
        """Something a caller says, which belongs into the ledger at most: never into a log, an error or a metric."""
        self.spoken[name] = secrets.token_hex(24)
        return self.spoken[name]

    def found_in(self, text: str, *, where: str) -> Iterator[str]:
        """Each canary that can be read in a text."""
        yield from _found({**self.everywhere, **self.spoken}, text, where)

    def found_in_log(self, path: Path) -> Iterator[str]:
        yield from self.found_in(path.read_text(errors="replace"), where=path.name)

    def found_in_tables(self, database: Database) -> Iterator[str]:
        """In any column of any table of both services, as text or as the bytes of a bytea."""
        for table in [row["name"] for row in database.rows(TABLES)]:
            for row in database.rows(f"select entry::text as text from {table} as entry"):
                yield from _found(self.everywhere, row["text"], table)

    def found_on_command_line(self, process_id: int) -> Iterator[str]:
        """What `ps` shows of a process and its children."""
        for each in (process_id, *_children(process_id)):
            line = Path(f"/proc/{each}/cmdline").read_bytes().decode(errors="replace")
            yield from self.found_in(line, where="a command line")


def _found(sought: dict[str, str], text: str, where: str) -> Iterator[str]:
    for name, value in sought.items():
        if any(form in text for form in _forms(value)):
            yield f"{name} in {where}"


def _forms(value: str) -> set[str]:
    """As it is, as the hex of a bytea shows it, in base64, quoted for a URL and for JSON, in upper case."""
    part = value[:PART_CHARS]
    return {
        part,
        part.upper(),
        part.encode().hex(),
        base64.b64encode(part.encode()).decode()[:PART_CHARS],
        quote(part),
        json.dumps(part)[1:-1],
    }


def _children(process_id: int) -> list[int]:
    tasks = Path(f"/proc/{process_id}/task").glob("*/children")
    return [int(child) for path in tasks for child in path.read_text().split()]
