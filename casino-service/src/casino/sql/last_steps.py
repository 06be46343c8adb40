"""What `migrate` does after the functions of this release are in place: the keys of the release before make room.

A key of a money table names the provider. Two studios may then use one id for one player. No bet waits longer than
for a moment: indexes are built beside the bets, and a table is held for the time that it takes to write the catalogue.
"""

from __future__ import annotations

from typing import Final

from shared_service.postgres.schema import LastStep

_ID: Final = "ledger_id, wallet_id, transaction_id, provider_id"
_TABLES: Final = ("rounds", "tombstones", "attempts", "postings", "transactions")
_WAIT_FOR_OLDER: Final = "set lock_timeout = '60s'"
"""For a statement that waits for older transactions, such as a backup's: nobody waits behind it."""
_REFERENCES: Final = {
    "posting_has_transaction": ("postings", _ID),
    "tombstone_has_rollback": ("tombstones", "ledger_id, wallet_id, rollback_transaction_id, provider_id"),
}


def _index(name: str, columns: str) -> LastStep:
    """Building it waits until every transaction has ended that may still run a function of the release before."""
    return LastStep(
        f"built casino.{name}",
        done=f"""
            select exists (select from pg_index where indexrelid = to_regclass('casino.{name}') and indisvalid)
            or {_key_has_provider(f"{columns.partition(' ')[0]}_pkey")}
        """,  # noqa: S608 - names of this file
        statements=(
            _WAIT_FOR_OLDER,
            f"drop index concurrently if exists casino.{name}",
            f"create unique index concurrently {name} on casino.{columns}",
            "reset lock_timeout",
        ),
        in_one_transaction=False,
    )


def _reference(name: str, table: str, columns: str) -> LastStep:
    """Holds both tables in the order of the bets, so that neither waits for the other in a ring."""
    return LastStep(
        f"casino.{table}.{name} names the provider",
        done=f"select {_key_has_provider(name)}",
        statements=(
            "lock table casino.transactions in access exclusive mode",
            f"lock table casino.{table} in access exclusive mode",
            f"alter table casino.{table} drop constraint {name}, add constraint {name} foreign key ({columns})"
            f" references casino.transactions ({_ID}) not valid",
        ),
    )


def _valid(name: str, table: str) -> LastStep:
    return LastStep(
        f"checked casino.{table}.{name}",
        done=f"select convalidated from pg_constraint where conname = '{name}'"  # noqa: S608 - as above
        " and connamespace = 'casino'::regnamespace",
        statements=(f"alter table casino.{table} validate constraint {name}",),
    )


def _primary_key(table: str) -> LastStep:
    return LastStep(
        f"the key of casino.{table} names the provider",
        done=f"select {_key_has_provider(f'{table}_pkey')}",
        statements=(
            f"alter table casino.{table} drop constraint {table}_pkey,"
            f" add constraint {table}_pkey primary key using index {table}_of_provider",
        ),
    )


def _key_has_provider(constraint: str) -> str:
    return f"""exists (
        select from pg_constraint as key
        join pg_attribute as part on part.attrelid = key.conrelid and part.attnum = any (key.conkey)
        where key.connamespace = 'casino'::regnamespace and key.conname = '{constraint}'
            and part.attname = 'provider_id'
    )"""


LAST_STEPS: Final = (
    _index("postings_of_provider", "postings (ledger_id, wallet_id, transaction_id, provider_id, account)"),
    _index("transactions_of_provider", f"transactions ({_ID})"),
    *(_reference(name, table, columns) for name, (table, columns) in _REFERENCES.items()),
    *(_valid(name, table) for name, (table, _) in _REFERENCES.items()),
    *map(_primary_key, _TABLES),
    LastStep(
        "dropped casino.transactions_feed",
        done="select to_regclass('casino.transactions_feed') is null",
        statements=(_WAIT_FOR_OLDER, "drop index concurrently casino.transactions_feed", "reset lock_timeout"),
        in_one_transaction=False,
    ),
    LastStep(
        "made months of casino.ledger_events",
        done="select not exists (select from casino.event_months_missing())",
        statements=("select casino.make_event_months()",),
    ),
)
