"""Tells of errors as events of type ERROR, behind the requests: a bounded queue and one writer in each process."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import psycopg
from psycopg.types.json import Jsonb

from casino.api.errors import API_ERRORS
from casino.errors import ERRORS
from casino.settings import Settings
from casino.wallet.commands import WalletCommand, WalletOutcome
from shared_service.postgres.database import Database, OutcomeUnknown, Overloaded

QUEUE_MAX: Final = 2_000
BATCH_MAX: Final = 100
WRITE_SECONDS: Final = 0.5
"""With `BATCH_MAX` it bounds what a flood of errors costs the database: 200 rows a second for each process."""
DEBIT_ROUTE: Final = "/casino/debit"
_SERVER_ERROR: Final = 500
FAULTS: Final = frozenset(
    kind.code for table in (ERRORS, API_ERRORS) for kind in table.values() if kind.status >= _SERVER_ERROR
)
NOW: Final = "select casino.clock()"
TELL: Final = "select casino.tell_errors(%s, %s, %s, %s)"


class Observe(Protocol):
    """Called for each request with its route, its outcome, its start (monotonic), and the peer that signed it."""

    def __call__(self, route: str, code: str, started: float, peer: str = "", /) -> object: ...


NoteOutcome = Callable[[WalletCommand, WalletOutcome], None]
Entry = dict[str, Any]


class ErrorEvents:
    """Errors that wait to be written. Noting one costs an append; a full queue drops it and counts it.

    A batch that may have been written is sent again with the time and ids that it had, so nothing is told twice.
    """

    def __init__(self, database: Database, settings: Settings, count_dropped: Callable[[int], object]) -> None:
        self._database = database
        self._ledger_id, self._tenant_id = settings.ledger_id, settings.tenant_id
        self._count_dropped = count_dropped
        self._waiting: deque[tuple[float, Entry]] = deque()
        self._unsent: tuple[datetime, list[Entry]] | None = None

    def observing(self, observe: Observe) -> Observe:
        """Returns `observe` that also notes a 5xx."""

        def observed(route: str, code: str, started: float, peer: str = "", /) -> None:
            observe(route, code, started, peer)
            if code in FAULTS:
                self._note({"id": secrets.token_hex(16), "code": code, "route": route})

        return observed

    def noting(self, note_outcome: NoteOutcome) -> NoteOutcome:
        """Returns `note_outcome` that also notes a refused bet."""

        def noted(command: WalletCommand, outcome: WalletOutcome) -> None:
            note_outcome(command, outcome)
            if outcome.code is not None and command.kind == "debit" and not outcome.replay:
                self._note(_refused_bet(command, outcome.code))

        return noted

    async def write_some(self) -> None:
        """Write a batch. While the database is away, the errors wait."""
        with contextlib.suppress(Overloaded, OutcomeUnknown):
            if self._unsent is None and self._waiting:
                ((now,),) = await self._database.call(NOW, ())
                self._unsent = now, self._take()
            if self._unsent is not None:
                await self._write(*self._unsent)
                self._unsent = None

    async def _write(self, now: datetime, batch: Sequence[Entry]) -> None:
        try:
            await self._database.call(TELL, (self._ledger_id, self._tenant_id, now, Jsonb(batch)))
        except psycopg.Error:  # the database is there and refused the statement: it would refuse it again
            self._unsent = None
            self._count_dropped(len(batch))
            raise

    def _note(self, entry: Entry) -> None:
        if len(self._waiting) < QUEUE_MAX:
            self._waiting.append((time.monotonic(), entry))
        else:
            self._count_dropped(1)

    def _take(self) -> list[Entry]:
        taken: Sequence[tuple[float, Entry]] = [
            self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))
        ]
        present = time.monotonic()
        return [{**entry, "age": present - noted} for noted, entry in taken]


def _refused_bet(command: WalletCommand, code: str) -> Entry:
    return {
        "code": code,
        "route": DEBIT_ROUTE,
        "playerId": command.player_id,
        "providerId": command.provider_id,
        "transactionId": command.transaction_id,
        "roundId": command.round_id,
        "tokenHash": command.token_hash,
        "amount": command.amount,
    }
