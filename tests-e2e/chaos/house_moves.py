"""Deposits, withdrawals and transfers between two wallets while everything around them breaks.

Each move is asked for again under its id until it is answered, so a commit whose outcome is unknown takes effect once.
"""

import threading
from dataclasses import dataclass
from itertools import count

import psycopg

from e2e_testing.database import Database
from e2e_testing.stack import CURRENCY, TENANT

ACCOUNTS = ("house-one", "house-two")
OPENING_MINOR = 50_000
AMOUNT_MINOR = 700
PAUSE_SECONDS = 0.2
WALLET = "(select wallet_id from casino.wallets where player_id = '{}')"
MOVE = (
    f"select o_code from casino.move_house_money(1, %(kind)s, {WALLET.format(ACCOUNTS[0])}, %(id)s, {AMOUNT_MINOR},"
    " 'chaos', 'chaos')"
)
TRANSFER = (
    f"select o_code from casino.transfer(1, {WALLET.format(ACCOUNTS[0])}, {WALLET.format(ACCOUNTS[1])}, %(id)s,"
    f" {AMOUNT_MINOR}, 'chaos', 'chaos')"
)
BACK = (
    f"select o_code from casino.transfer(1, {WALLET.format(ACCOUNTS[1])}, {WALLET.format(ACCOUNTS[0])}, %(id)s,"
    f" {AMOUNT_MINOR}, 'chaos', 'chaos')"
)

BOOKED = """
    select
        count(*) filter (where kind = 'transfer_out') as given, count(*) filter (where kind = 'transfer_in') as taken,
        count(*) filter (where kind in ('deposit', 'withdrawal')) as others
    from casino.transactions where starts_with(transaction_id, '§move-')
"""


@dataclass(slots=True)
class HouseMoves:
    """`done` counts the moves that were answered, `repeated` the attempts that the database did not answer."""

    database: Database
    over: threading.Event
    done: int = 0
    repeated: int = 0

    def open_accounts(self) -> None:
        for name in ACCOUNTS:
            self.database.rows(
                "select casino.open_player(%(tenant)s, %(player)s, %(player)s, %(currency)s, %(balance)s)",
                tenant=TENANT, player=name, currency=CURRENCY, balance=OPENING_MINOR,
            )  # fmt: skip

    def run(self) -> None:
        for number in count():
            statement, kind = ((MOVE, "deposit"), (TRANSFER, ""), (MOVE, "withdrawal"), (BACK, ""))[number % 4]
            while not self.over.wait(PAUSE_SECONDS):
                try:
                    (row,) = self.database.rows(statement, kind=kind, id=f"move-{number}")
                except psycopg.Error:
                    self.repeated += 1
                    continue
                assert row["o_code"] is None, row
                self.done += 1
                break
            if self.over.is_set():
                return

    def findings(self) -> list[str]:
        """Every move that was answered is in the ledger once. The last one may be there without its answer."""
        row = self.database.row(BOOKED)
        given, taken, others = row["given"], row["taken"], row["others"]
        found = [] if given == taken else [f"{given} transfers left a wallet, {taken} reached one"]
        if given + others not in (self.done, self.done + 1):
            found.append(f"{self.done} moves were answered, {given + others} are in the ledger")
        return found
