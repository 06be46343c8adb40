"""Copies of a casino's and of its studios' rows in one database, so that one statement can compare them.

The books of a relation may lie in two databases: those of the casino and those of the studio.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from psycopg import sql

from e2e_testing.database import Database, create_database, drop_database
from e2e_testing.two_pairs import NUMBERS, Relation, casino_code_of, provider_id_of

OF_THE_CASINO = {
    "casino.wallets": "true",
    "casino.postings": "true",
    "casino.transactions": "provider_id = any({peers}) or kind not in ('debit', 'credit', 'rollback')",
    "casino.rounds": "provider_id = any({peers})",
    "casino.tombstones": "provider_id = any({peers})",
}
_SESSIONS = "select provider_session_id from provider.game_sessions where casino_code = any({peers})"
OF_A_STUDIO = {
    "provider.game_sessions": "casino_code = any({peers})",
    "provider.rounds": f"provider_session_id in ({_SESSIONS})",
    "provider.wallet_transactions": f"provider_session_id in ({_SESSIONS})",
    "provider.wallet_attempts": "transaction_id in (select transaction_id from provider.wallet_transactions"
    f" where provider_session_id in ({_SESSIONS}))",
}
"""Table to the condition for the rows of one peer or of several."""

COLUMNS = """
    select attname as name, case type.typnamespace
        when 'pg_catalog'::regnamespace then format_type(atttypid, null) else 'text' end as type
    from pg_attribute join pg_type as type on type.oid = atttypid
    where attrelid = %(table)s::regclass and attnum > 0 and not attisdropped order by attnum
"""


@contextmanager
def books_of(
    server_url: str, databases: Mapping[int, Database], casino: int, *, studios: Sequence[int] = NUMBERS
) -> Iterator[Database]:
    """Yields a database with the tables of a casino and of these studios, as far as they concern each other.

    `databases`: those of each pair, by its number.
    """
    copy = create_database(server_url)
    try:
        for schema in ("casino", "provider"):
            copy.rows(f"create schema {schema}")
        relations: list[Relation] = [(casino, studio) for studio in studios]
        peers = [provider_id_of(relation) for relation in relations]
        for table, condition in OF_THE_CASINO.items():
            _copy(databases[casino], copy, table, condition=condition, peers=peers)
        for relation in relations:
            for table, condition in OF_A_STUDIO.items():
                _copy(databases[relation[1]], copy, table, condition=condition, peers=[casino_code_of(relation)])
        yield copy
    finally:
        drop_database(server_url, copy)


def _copy(source: Database, target: Database, table: str, *, condition: str, peers: list[str]) -> None:
    """Append the rows to the table of the same name, which has the same columns without their constraints."""
    columns = source.rows(COLUMNS, table=table)
    described = ", ".join(f"{column['name']} {column['type']}" for column in columns)
    target.rows(f"create table if not exists {table} ({described})")
    names = sql.SQL(", ").join(sql.Identifier(column["name"]) for column in columns)
    name = sql.Identifier(*table.split("."))
    chosen = sql.SQL(condition).format(peers=sql.Literal(peers))
    reads = sql.SQL("copy (select {} from {} where {}) to stdout").format(names, name, chosen)
    writes = sql.SQL("copy {} ({}) from stdin").format(name, names)
    with (
        source.connect() as reading,
        target.connect() as writing,
        reading.cursor().copy(reads) as rows,
        writing.cursor().copy(writes) as copied,
    ):
        for chunk in rows:
            copied.write(chunk)
