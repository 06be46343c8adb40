"""Finds and applies the SQL files of this package.

Owns the way from a .sql file to the database: migrations beside their revision, and function files that are applied
again when their text changed. It must never build a statement from anything but the text of these files.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from alembic import op

SQL_DIR: Final = Path(__file__).parent
MIGRATIONS_DIR: Final = SQL_DIR / "migrations"
FUNCTIONS_DIR: Final = SQL_DIR / "functions"


@dataclass(frozen=True, slots=True)
class SqlFile:
    """One function file: its path below `functions/`, its text and the hash that tells whether it was applied."""

    path: str
    text: str
    sha256: str


def execute_beside(revision_file: str) -> None:
    """Run the .sql file with the same name as an alembic revision, in the migration's transaction."""
    statements = Path(revision_file).with_suffix(".sql").read_text(encoding="utf-8")
    # Straight to psycopg: SQLAlchemy would read colons and percent signs as parameters.
    driver_connection: Any = op.get_bind().connection.driver_connection
    driver_connection.execute(statements.encode())


def function_files() -> list[SqlFile]:
    """Every function file, in the order in which they are applied."""
    found = []
    for path in sorted(FUNCTIONS_DIR.rglob("*.sql")):
        text = path.read_text(encoding="utf-8")
        found.append(
            SqlFile(path.relative_to(FUNCTIONS_DIR).as_posix(), text, hashlib.sha256(text.encode()).hexdigest())
        )
    return found


def apply_changed_functions(connection: psycopg.Connection[Any]) -> list[str]:
    """Apply the function files whose text is not the one applied last; returns their paths.

    `create or replace` keeps an overload with other arguments alive, so old and new code can run side by side during a
    deployment; a migration drops an overload that nobody calls any more.
    """
    applied = dict(connection.execute("select path, sha256 from provider.applied_sql_files").fetchall())
    changed = [file for file in function_files() if applied.get(file.path) != file.sha256]
    for file in changed:
        connection.execute(file.text.encode())
        connection.execute(
            "insert into provider.applied_sql_files (path, sha256) values (%s, %s)"
            " on conflict (path) do update set sha256 = excluded.sha256, applied_at = clock_timestamp()",
            (file.path, file.sha256),
        )
    if changed:
        connection.execute("revoke all on all functions in schema provider from public")
        connection.execute("grant execute on all functions in schema provider to provider_app")
    return [file.path for file in changed]
