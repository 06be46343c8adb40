"""Where a service keeps its rows: its schema, the two roles, and the folder of its SQL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema of one service. Its name is the service's name, as on the command line and before its settings."""

    name: str
    folder: Path
    """Holds `migrations/`, `functions/`, `grants.sql`, and `views/` if there are any."""

    @property
    def owner_role(self) -> str:
        """Owns everything in the schema. Migrations and the owner's commands run in it."""
        return f"{self.name}_owner"

    @property
    def app_role(self) -> str:
        """The role that serves. It owns nothing."""
        return f"{self.name}_app"

    def known_revisions(self) -> frozenset[str]:
        """The revisions of this release: a revision NNNN is a file `NNNN_words.py`."""
        return frozenset(
            path.name.partition("_")[0] for path in (self.folder / "migrations/versions").glob("[0-9]*.py")
        )

    def newest_revision(self) -> str:
        """The newest revision of this release."""
        return max(self.known_revisions())
