"""Which version of the schema this package needs.

Owns that answer, for the health check. It must never import the migration library: a serving process does without.
"""

from pathlib import Path
from typing import Final

VERSIONS_DIR: Final = Path(__file__).parent / "migrations" / "versions"


def known_versions() -> set[str]:
    """The revisions of this package: revisions are files named NNNN_what.py, with NNNN as their id."""
    return {path.stem.partition("_")[0] for path in VERSIONS_DIR.glob("[0-9]*.py")}


def expected_version() -> str:
    """The newest revision."""
    return max(known_versions())
