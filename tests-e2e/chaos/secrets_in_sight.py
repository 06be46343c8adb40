"""I11: no secret, token or signature in a log line or in a column of a table. Prints where one is, never which."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from e2e_testing.database import Database

TOKENS_SOUGHT_MAX = 400
SIGNATURES_SOUGHT_MAX = 200
TEXT_TABLES = """
    select format('%%I.%%I', table_schema, table_name) as name from information_schema.tables
    where table_schema in ('casino', 'provider') and table_type = 'BASE TABLE'
"""


def leaks(logs: Iterable[Path], databases: Iterable[Database], sought: dict[str, list[str]]) -> Iterator[str]:
    """`sought`: what kind of secret, to its values."""
    for path in logs:
        text = path.read_text(errors="replace")
        for kind, values in sought.items():
            found = sum(value in text for value in values)
            if found:
                yield f"{found} of {len(values)} {kind} in {path.name}"
    for database in databases:
        for row in database.rows(TEXT_TABLES):
            yield from _in_table(database, row["name"], sought)


def _in_table(database: Database, table: str, sought: dict[str, list[str]]) -> Iterator[str]:
    for kind, values in sought.items():
        patterns = [f"%{value}%" for value in values[:5]]
        found = database.row(
            f"select count(*) as rows from {table} as entry where entry::text like any(%(patterns)s)",
            patterns=patterns,
        )
        if found["rows"]:
            yield f"{found['rows']} rows of {table} hold one of the {kind}"
