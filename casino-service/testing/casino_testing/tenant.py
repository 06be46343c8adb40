"""A tenant with a ledger of its own in a shared database: what one test does to money, no other test sees.

Speaks to Postgres as a superuser, to arrange and to look. The service under test never gets this connection.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

from psycopg import sql

from casino_testing import connections

OPENING_BALANCE_MINOR: Final = 1_000_000
STAKE_MIN_MINOR: Final = 1_000
STAKE_MAX_MINOR: Final = 100_000
PLAYERS: Final = ("1", "2")
SLOTS: Final = "1"

_ledger_ids = itertools.count(2)  # 1 is the demo ledger of the template

Row = dict[str, Any]

OWN_CLOCK: Final = "select pg_get_functiondef('casino.clock()'::regprocedure) as text"
SETTABLE_CLOCK: Final = """
    create or replace function casino.clock() returns timestamptz language sql volatile parallel safe
    set search_path = pg_catalog, pg_temp as $$
        select coalesce(nullif(current_setting('test.now', true), '')::timestamptz, clock_timestamp());
    $$
"""
SET_CLOCK: Final = "select pg_catalog.set_config('test.now', %s, false)"
"""What a connection takes for now, once `Tenant.make_clock_settable` was called; nothing: the wall clock."""


class Tenant:
    """One tenant, one ledger, the demo games, players 1 and 2 with 1,000,000 USD minor units each."""

    def __init__(self, url: str, *, tenant_id: str, ledger_id: int) -> None:
        self.url = url
        self.tenant_id = tenant_id
        self.ledger_id = ledger_id
        self._connection = connections.take(url)
        self._own_clock: bytes | None = None

    @classmethod
    def demo(cls, url: str) -> Tenant:
        """The demo tenant, in a database that the test has for itself."""
        return cls(url, tenant_id="JAQPOT", ledger_id=1)

    @classmethod
    def fresh(cls, url: str) -> Tenant:
        """A new tenant in a database that many tests share."""
        ledger_id = next(_ledger_ids)
        tenant = cls(url, tenant_id=f"TENANT{ledger_id}", ledger_id=ledger_id)
        with tenant._connection.transaction():
            tenant.sql("insert into casino.tenants (tenant_id, display_name) values (%s, 'A tenant')", tenant.tenant_id)
            tenant.sql(
                "insert into casino.ledgers (ledger_id, tenant_id) values (%s, %s)", tenant.ledger_id, tenant.tenant_id
            )
            tenant.sql(
                "insert into casino.games"
                " (tenant_id, game_id, game_code, display_name, stake_min_minor, stake_max_minor)"
                " values (%(tenant)s, '1', 'SLOTS_001', 'Slots', %(least)s, %(most)s),"
                " (%(tenant)s, '2', 'CRASH_001', 'Crash', %(least)s, %(most)s)",
                {"tenant": tenant.tenant_id, "least": STAKE_MIN_MINOR, "most": STAKE_MAX_MINOR},
            )
            for player_id in PLAYERS:
                tenant.open_player(player_id)
        return tenant

    def close(self) -> None:
        """Give the database its clock back, and end the use of the connection."""
        if self._own_clock is not None:
            self._connection.execute(self._own_clock)
        connections.give_back(self._connection, self.url)

    def make_clock_settable(self) -> None:
        """Put a function that every connection can set in the clock's place, until the end."""
        if self._own_clock is None:
            self._own_clock = str(self.sql(OWN_CLOCK)[0]["text"]).encode()
            self.sql(SETTABLE_CLOCK)

    def sql(self, statement: str, *parameters: Any) -> list[Row]:
        """Run a statement with superuser rights; a single mapping gives named parameters."""
        given: Sequence[Any] | Mapping[str, Any] = parameters
        if len(parameters) == 1 and isinstance(parameters[0], Mapping):
            given = parameters[0]
        cursor = self._connection.execute(statement, given)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description is not None else []

    def open_player(self, player_id: str, *, balance_minor: int = OPENING_BALANCE_MINOR, currency: str = "USD") -> int:
        """Open a player with a wallet; returns the wallet's id."""
        return int(
            self.sql(
                "select casino.open_player(%s, %s, 'somebody', %s, %s, %s) as wallet_id",
                self.tenant_id, player_id, currency, balance_minor, self.ledger_id,
            )[0]["wallet_id"]
        )  # fmt: skip

    def set_wallet(self, player_id: str = "1", **columns: Any) -> None:
        """Write columns of a player's wallet, as the operator's staff would."""
        self._update("wallets", "player_id", player_id, columns)

    def set_counters(self, player_id: str = "1", **columns: Any) -> None:
        """Write columns of what is counted for the limits of a player."""
        self._update("limit_counters", "wallet_id", self.wallet(player_id)["wallet_id"], columns)

    def set_tenant(self, **columns: Any) -> None:
        """Write columns of the tenant."""
        assignments = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in columns)
        statement = sql.SQL("update casino.tenants set {} where tenant_id = %s").format(assignments)
        self._connection.execute(statement, [*columns.values(), self.tenant_id])

    def add_tenant_below(self, name: str, *, parent: str | None = None) -> str:
        """Add a tenant below this one, or below `parent`; returns its id."""
        tenant_id = f"{self.tenant_id}-{name}"
        self.sql(
            "insert into casino.tenants (tenant_id, display_name, ledger_id, parent_id) values (%s, %s, %s, %s)",
            tenant_id, name, self.ledger_id, parent or self.tenant_id,
        )  # fmt: skip
        return tenant_id

    def set_session(self, session_id: object, **columns: Any) -> None:
        """Write columns of a game session."""
        self._update("game_sessions", "session_id", session_id, columns)

    def set_game(self, game_id: str = SLOTS, **columns: Any) -> None:
        """Write columns of a game; sessions that are open keep what they were opened with."""
        assignments = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in columns)
        statement = sql.SQL("update casino.games set {} where tenant_id = %s and game_id = %s").format(assignments)
        self._connection.execute(statement, [*columns.values(), self.tenant_id, game_id])

    def provider_of(self, game_id: str) -> str:
        """The provider of a game; `main` for a game that there is not."""
        found = self.sql(
            "select provider_id from casino.games where tenant_id = %s and game_id = %s", self.tenant_id, game_id
        )
        return str(found[0]["provider_id"]) if found else "main"

    def add_games_of(self, provider_id: str) -> tuple[str, str]:
        """Two more games, as those of the demo, of another provider. Returns their ids."""
        self.sql(
            "insert into casino.games (tenant_id, game_id, game_code, display_name, stake_min_minor, stake_max_minor,"
            " provider_id) select tenant_id, (game_id::integer + 2)::text, left(game_code, -1) || '2', display_name,"
            " stake_min_minor, stake_max_minor, %s from casino.games where tenant_id = %s and game_id in ('1', '2')"
            " on conflict do nothing",
            provider_id, self.tenant_id,
        )  # fmt: skip
        return "3", "4"

    def _update(self, table: str, key: str, value: object, columns: Mapping[str, Any]) -> None:
        assignments = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in columns)
        statement = sql.SQL("update casino.{} set {} where ledger_id = %s and {} = %s returning 1").format(
            sql.Identifier(table), assignments, sql.Identifier(key)
        )
        changed = self._connection.execute(statement, [*columns.values(), self.ledger_id, value]).fetchall()
        assert len(changed) == 1, f"{table}.{key} = {value!r}: {len(changed)} rows"

    def balance(self, player_id: str = "1") -> int:
        """The stored balance in minor units."""
        return int(self.wallet(player_id)["balance_minor"])

    def wallet(self, player_id: str = "1") -> Row:
        """The row of a player's wallet."""
        return self.sql(
            "select * from casino.wallets where ledger_id = %s and player_id = %s", self.ledger_id, player_id
        )[0]

    def rows_of_tenant(self, table: str) -> list[Row]:
        """Every row of a table of players' clients, which belong to no ledger."""
        statement = sql.SQL("select * from casino.{} where tenant_id = %s").format(sql.Identifier(table))
        return self._connection.execute(statement, [self.tenant_id]).fetchall()

    def rows(self, table: str) -> list[Row]:
        """Every row of a money table in this ledger."""
        statement = sql.SQL("select * from casino.{} where ledger_id = %s").format(sql.Identifier(table))
        return self._connection.execute(statement, [self.ledger_id]).fetchall()

    def transactions(self) -> list[Row]:
        """Every transaction that a provider asked for, oldest first."""
        found = [row for row in self.rows("transactions") if row["feed_position"] is not None]
        return sorted(found, key=lambda row: int(row["feed_position"]))

    def transaction(self, transaction_id: str, player_id: str = "1") -> Row:
        """One transaction; it must be there."""
        wallet_id = self.wallet(player_id)["wallet_id"]
        found = [
            row
            for row in self.transactions()
            if (row["wallet_id"], row["transaction_id"]) == (wallet_id, transaction_id)
        ]
        assert len(found) == 1, f"{transaction_id}: {len(found)} rows"
        return found[0]

    def head(self, transaction_id: str, player_id: str = "1") -> str:
        """Where a transaction stands in its wallet's chain, as an answer says it."""
        row = self.transaction(transaction_id, player_id)
        return f"{row['sequence_no']}:{row['entry_hash'].hex()}"

    def events(self) -> list[Row]:
        """What analytics is told of transactions that a provider asked for, oldest first."""
        found = [row for row in self.rows("ledger_events") if row["provider_id"] is not None]
        return sorted(found, key=lambda row: (row["at"], row["action_id"]))

    def feed_states(self) -> dict[str, str]:
        """The state of every transaction as the feed tells it."""
        rows = self.sql(
            "select transaction_id, state from casino.transaction_feed where ledger_id = %s", self.ledger_id
        )
        return {row["transaction_id"]: row["state"] for row in rows}

    def money_rows(self) -> dict[str, int]:
        """How many rows each money table holds: equal before and after whatever must leave no trace."""
        tables = ("transactions", "postings", "rounds", "tombstones", "ledger_events")
        return {table: len(self.rows(table)) for table in tables}

    def differences(self) -> list[Row]:
        """The broken invariants of this ledger: none, while the ledger is whole."""
        return self.sql("select * from casino.ledger_differences where ledger_id = %s", self.ledger_id)
