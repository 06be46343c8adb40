"""Checks a whole ledger against its rules, its hash chains, and the chain heads that providers recorded.

The rules are SQL functions. The result has the first row and the number of rows for each broken rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from casino.audit import queries
from casino.audit.heads import RecordedHead
from casino.audit.snapshot import Books, CannotRead, Row

WALLETS_PER_PAGE: Final = 1_000
TRANSACTIONS_PER_PAGE: Final = 50_000
"""The server sorts about this many at once. A page ends after the wallet that fills it."""
WALLET_ID_MIN: Final = -(2**63)
WALLET_ID_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Finding:
    """The first row that breaks a rule, and how many rows do."""

    rule: str
    player_id: str | None
    transaction_id: str | None
    expected: str | None
    found: str | None
    rows: int


@dataclass(slots=True)
class Examination:
    """What was checked, and the findings by rule."""

    ledger_id: int
    tenant_id: str
    wallets: int
    transactions: int
    heads: int = 0
    heads_of_others: int = 0
    findings: dict[str, Finding] = field(default_factory=dict)

    def take(self, rows: Iterable[Row]) -> None:
        """Keep the first row of each rule, and count the others."""
        for row in rows:
            found = Finding(**row)
            first = self.findings.get(found.rule)
            self.findings[found.rule] = found if first is None else replace(first, rows=first.rows + found.rows)


class Watcher(Protocol):
    """Shows the progress of a check."""

    def expects(self, transactions: int) -> None: ...

    def advances(self, transactions: int, found: int) -> None: ...


def examine(
    books: Books,
    ledger_id: int,
    heads: Iterable[list[RecordedHead]] | None,
    watcher: Watcher,
    *,
    casino_code: str | None = None,
) -> Examination:
    """Check a whole ledger, and compare it with the heads unless they are None.

    `casino_code` is the casino's name at the provider that recorded them; without it the ledger's tenant. Raises
    CannotRead, also when no head is of this casino: a comparison with nothing must not look like a success.
    """
    ledger = books.execute(queries.LEDGER, [ledger_id]).fetchone()
    if ledger is None:
        raise CannotRead(f"there is no ledger {ledger_id}")
    examination = Examination(ledger_id, **ledger)
    watcher.expects(examination.transactions)
    # Heads first: they are checked fastest, and only they find a tail that was cut off.
    for batch in heads or ():
        _hold_against_heads(books, examination, batch, casino_code=casino_code or examination.tenant_id)
    if heads is not None and not examination.heads:
        raise CannotRead("the file of --heads holds no recorded heads of this casino: nothing was compared")
    for first, last, transactions in _pages(books, ledger_id):
        examination.take(books.execute(queries.WALLET_DIFFERENCES, [ledger_id, first, last]))
        watcher.advances(transactions, len(examination.findings))
    examination.take(books.execute(queries.LEDGER_WIDE_DIFFERENCES, [ledger_id]))
    return examination


def _hold_against_heads(books: Books, examination: Examination, batch: list[RecordedHead], *, casino_code: str) -> None:
    ours = [head for head in batch if head.casino_code in (None, casino_code)]
    examination.heads += len(ours)
    examination.heads_of_others += len(batch) - len(ours)
    parameters: dict[str, Any] = {
        "ledger_id": examination.ledger_id,
        "users": [head.user_id for head in ours],
        "sequences": [head.sequence for head in ours],
        "hashes": [head.hash for head in ours],
        "transactions": [head.transaction_id for head in ours],
    }
    examination.take(books.execute(queries.HEAD_DIFFERENCES, parameters))


def _pages(books: Books, ledger_id: int) -> Iterator[tuple[int, int, int]]:
    """Yields ranges of wallet ids without gaps, so that rows without a wallet are found too."""
    first = after = WALLET_ID_MIN
    while wallets := books.execute(queries.WALLETS, [ledger_id, after, WALLETS_PER_PAGE]).fetchall():
        transactions = 0
        for wallet in wallets:
            after = wallet["wallet_id"]
            transactions += wallet["sequence_no"]
            if transactions >= TRANSACTIONS_PER_PAGE:
                break
        yield first, after, transactions
        first = after + 1
    yield first, WALLET_ID_MAX, 0
