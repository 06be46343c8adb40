"""Describes a service's schema: its name, its two roles, and the folder of its SQL."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SqlFile:
    """A file that `migrate` applies again when its text changed. `path` is relative to the schema's folder."""

    path: str
    text: str

    @property
    def sha256(self) -> str:
        """The hash of the text. `migrate` compares it with the one that was applied last."""
        return sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class LastStep:
    """Something that `migrate` does after the functions were applied, because the functions before them forbid it.

    `name` is a sentence for when it was done. `done` is a query that answers true when there is nothing to do.
    """

    name: str
    done: str
    statements: tuple[str, ...]
    in_one_transaction: bool = True


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema of one service. `name` is the service's name, as on the command line."""

    name: str
    folder: Path
    """Holds `migrations/`, `functions/`, `grants.sql`, and `views/` if there are any."""
    functions_last: str | None = None
    """A folder of functions that must be created after the others."""
    last_steps: tuple[LastStep, ...] = ()
    definer_role: str | None = None
    """A role without a login that owns `security definer` functions, or None. The owner's role is a member of it."""
    left_to_do: str | None = None
    """A query whose rows are sentences: the remaining work for an administrator after a migration."""

    @property
    def owner_role(self) -> str:
        """Owns everything in the schema. Migrations and the owner's commands run in this role."""
        return f"{self.name}_owner"

    @property
    def app_role(self) -> str:
        """The role of the serving processes. It owns nothing."""
        return f"{self.name}_app"

    def known_revisions(self) -> frozenset[str]:
        """The revisions of this release. Revision NNNN is the file `NNNN_words.py`."""
        files = (self.folder / "migrations/versions").glob("[0-9]*.py")
        return frozenset(path.name.partition("_")[0] for path in files)

    def newest_revision(self) -> str:
        """The newest revision of this release."""
        return max(self.known_revisions())

    def sql_files(self) -> list[SqlFile]:
        """The functions, the views and the grants, in the order in which they are applied."""
        functions = (self.folder / "functions").rglob("*.sql")
        paths = sorted(functions, key=lambda path: (path.parent.name == self.functions_last, path))
        paths += [*sorted((self.folder / "views").glob("*.sql")), self.folder / "grants.sql"]
        return [SqlFile(path.relative_to(self.folder).as_posix(), path.read_text("utf-8")) for path in paths]
