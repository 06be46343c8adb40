"""Describes a service's schema: its name, its two roles, and the folder of its SQL."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from psycopg import sql

_WHY_NOT: Final = """
    with strong as (
        select role.rolname, role.rolsuper, role.rolbypassrls
        from pg_catalog.pg_roles as role
        where pg_catalog.pg_has_role(session_user, role.oid, 'member') and (
            role.rolsuper or role.rolbypassrls
            or role.oid in (select nspowner from pg_catalog.pg_namespace where nspname = {schema})
            or role.oid in (
                select proowner from pg_catalog.pg_proc
                join pg_catalog.pg_namespace as place on place.oid = pronamespace
                where place.nspname = {schema} and prosecdef
            )
        )
        order by role.rolname <> session_user, not role.rolsuper, role.rolname <> {owner_role}, role.rolname
        limit 1
    ),
    bare as (
        select relname
        from pg_catalog.pg_class as kind
        join pg_catalog.pg_namespace as place on place.oid = relnamespace
        join pg_catalog.pg_attribute on attrelid = kind.oid and attname = {column} and not attisdropped
        where place.nspname = {schema} and relkind in ('r', 'p') and not (relrowsecurity and relforcerowsecurity)
        order by relname
        limit 1
    )
    select coalesce(
        (
            select pg_catalog.format(
                'the login %s %s, so row-level security does not hold for it: serve with another login, made with'
                ' `create role %s_login login noinherit password ''…'' in role %s`',
                session_user,
                case when rolname <> session_user then 'is a member of ' || rolname || ', which ' else '' end
                || case
                    when rolsuper then 'is a superuser'
                    when rolbypassrls then 'has BYPASSRLS'
                    else 'owns the schema or its functions'
                end,
                {schema}, {app_role}
            )
            from strong
        ),
        (
            select pg_catalog.format(
                'the table %s.%s has no forced row-level security: run `%1$s migrate`, or as its owner'
                ' `alter table %1$s.%2$s enable row level security, force row level security`',
                {schema}, relname
            )
            from bare
        )
    )
"""


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
    further_roles: tuple[str, ...] = ()
    """Other roles without a login, to which the grants give something."""
    secured_column: str | None = None
    """Each table with this column must have forced row-level security."""
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


def why_not_secure(schema: Schema) -> sql.Composed:
    """Returns a statement that answers null, or why the schema's rows are not safe from the login that runs it.

    Judged by the login itself, whatever role it has taken: it may leave a role again.
    """
    if schema.secured_column is None:
        raise ValueError(f"the schema {schema.name} has no row-level security")
    return sql.SQL(_WHY_NOT).format(
        schema=sql.Literal(schema.name),
        owner_role=sql.Literal(schema.owner_role),
        app_role=sql.Literal(schema.app_role),
        column=sql.Literal(schema.secured_column),
    )
