"""Where the SQL lies, and which revision of the schema this code expects. It never loads the migration library."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SQL_FOLDER: Final = Path(__file__).parent


def known_revisions() -> set[str]:
    """The revisions that this code ships: the numbers in front of the migrations' names."""
    return {path.name.split("_", 1)[0] for path in (SQL_FOLDER / "migrations" / "versions").glob("*.sql")}


def expected_revision() -> str:
    """The newest revision that this code ships."""
    return max(known_revisions())
