"""Checks the whole ledger again and again while everything around it breaks, each time in one snapshot."""

import threading
from dataclasses import dataclass, field

import psycopg

from e2e_testing.books import (
    BALANCE_IS_SUM_OF_POSTINGS,
    NO_NEGATIVE_BALANCE,
    NOTHING_IS_IN_TRANSIT,
    POSTINGS_OF_A_CURRENCY_SUM_TO_ZERO,
)
from e2e_testing.database import Database

PAUSE_SECONDS = 0.7
CONNECT_SECONDS_MAX = 2
ALWAYS = {
    "no balance was ever negative": NO_NEGATIVE_BALANCE,
    "all postings of a currency sum to zero": POSTINGS_OF_A_CURRENCY_SUM_TO_ZERO,
    "a balance is the sum of its postings": BALANCE_IS_SUM_OF_POSTINGS,
    "money between two wallets has arrived": NOTHING_IS_IN_TRANSIT,
}


@dataclass(slots=True)
class LedgerWatch:
    """`looks` counts the snapshots that could be taken, `away` those that could not."""

    database: Database
    over: threading.Event
    looks: int = 0
    away: int = 0
    findings: list[str] = field(default_factory=list)

    def run(self) -> None:
        while not self.over.wait(PAUSE_SECONDS):
            try:
                self.look()
            except psycopg.Error:
                self.away += 1

    def look(self) -> None:
        """One snapshot for all rules: a transfer that is under way is either in all of them or in none."""
        with psycopg.connect(self.database.url, connect_timeout=CONNECT_SECONDS_MAX) as connection:
            connection.execute("set transaction isolation level repeatable read read only")
            connection.execute("set local statement_timeout = '10s'")
            for name, statement in ALWAYS.items():
                if found := connection.execute(statement.encode(), {"wallets": None}).fetchall():
                    self.findings.append(f"during the run: {name}: {found[:3]}")
        self.looks += 1
