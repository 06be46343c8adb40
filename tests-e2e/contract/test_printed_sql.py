"""Every SQL block of the operators' documents, run as printed: with a login that may take the block's role, no more."""

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest

from e2e_testing.database import Database

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
BLOCK = re.compile(r"```sql\n(.*?)```", re.S)
INLINE = re.compile(r"`(?:select|update|delete|insert)\b[^`]*\b(?:casino|provider)\.[^`]*`", re.I)
ROLES = ("casino_owner", "casino_app", "provider_owner", "provider_app")
BLOCKS = [(page.name, block) for page in PAGES for block in BLOCK.findall(page.read_text("utf-8"))]
HITS_NOTHING_HERE = ("key_revocations", "00000000-0000-0000-0000-000000000000")


@pytest.fixture
def logins(scratch: Database) -> Iterator[dict[str, str]]:
    """For each role the address of a login that inherits nothing and may take that role alone."""
    parts, password = urlsplit(scratch.url), secrets.token_hex(8)
    names = {role: f"by_hand_{secrets.token_hex(4)}" for role in ROLES}
    for role, name in names.items():
        scratch.rows(f"create role {name} login noinherit password '{password}' in role {role}")
        scratch.rows(f'grant connect on database "{scratch.name}" to {name}')
    host = parts.netloc.rpartition("@")[2]
    yield {role: urlunsplit(parts._replace(netloc=f"{quote(name)}:{password}@{host}")) for role, name in names.items()}
    for name in names.values():
        scratch.rows(f"drop owned by {name}")
        scratch.rows(f"drop role {name}")


def test_every_printed_statement_runs_with_the_login_that_it_is_printed_for(
    scratch: Database, logins: dict[str, str]
) -> None:
    """As printed before, each of them was "permission denied" for every login of the stack."""
    assert len(BLOCKS) > 5
    for page, block in BLOCKS:
        first, *statements = [part.strip() for part in block.split(";") if part.strip()]
        role = first.removeprefix("set role ")
        assert role in ROLES, f"{page}: a block begins with the role that it needs: {block}"
        with psycopg.connect(logins[role]) as connection:
            connection.execute(first.encode())
            for statement in statements:
                count = connection.execute(statement.encode()).rowcount
                if statement.startswith("update") and not any(name in statement for name in HITS_NOTHING_HERE):
                    assert count == 1, f"{page}: {statement}"
            connection.rollback()


def test_no_statement_stands_where_nobody_runs_it() -> None:
    assert {page.name: found for page in PAGES if (found := INLINE.findall(page.read_text("utf-8")))} == {}
