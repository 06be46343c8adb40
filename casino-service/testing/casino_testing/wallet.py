"""Drives the wallet as the service does: commands through `Ledger`, on a connection with the application's role."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from casino.callbacks import messages
from casino.sessions import queries
from casino.settings import Settings
from casino.sql.schema import database_for
from casino.wallet.commands import Balance, BalanceRequest, Kind, Ledger, WalletCommand, WalletOutcome, token_hash
from casino_testing.tenant import SET_CLOCK, SLOTS, Tenant

T = TypeVar("T")

STAKE_MINOR: Final = 1_000
ROUND: Final = "round-1"
SIGNER: Final = "main"

_numbers = itertools.count(1)


def new_id(kind: str) -> str:
    """An id that no other command of the run has."""
    return f"{kind}-{next(_numbers)}"


@dataclass(frozen=True, slots=True)
class Session:
    """A game session from the provider's side: it names the token, and builds commands without sending them."""

    session_id: uuid.UUID
    token: str
    player_id: str
    provider_id: str = "main"

    def debit(self, amount: int = STAKE_MINOR, **fields: Any) -> WalletCommand:
        """A bet, not yet sent."""
        return self._command("debit", {"amount": amount, **fields})

    def credit(self, amount: int = 2 * STAKE_MINOR, **fields: Any) -> WalletCommand:
        """A payout, not yet sent."""
        return self._command("credit", {"amount": amount, **fields})

    def rollback(self, related_id: str, **fields: Any) -> WalletCommand:
        """The taking back of a bet, not yet sent."""
        return self._command("rollback", {"related_id": related_id, **fields})

    def _command(self, kind: Kind, fields: dict[str, Any]) -> WalletCommand:
        number = new_id(kind)
        common = {
            "provider_id": self.provider_id,
            "token_hash": token_hash(self.token),
            "player_id": self.player_id,
            "transaction_id": number,
            "round_id": ROUND,
            "request_id": f"request-of-{number}",
            "signed_by": SIGNER,
        }
        return WalletCommand(kind=kind, **{**common, **fields})


class Wallet:
    """One process of the service, reduced to its connection: synchronous, so that tests read from top to bottom."""

    def __init__(self, tenant: Tenant, settings: Settings) -> None:
        self.tenant = tenant
        self._runner = asyncio.Runner()
        self.database = database_for(settings)
        self.ledger = Ledger(self.database, tenant.ledger_id)
        self.wait(self.database.open())

    def close(self) -> None:
        """Give the connection back."""
        self.wait(self.database.close())
        self._runner.close()

    def wait(self, work: Awaitable[T]) -> T:
        """Run something asynchronous to its end."""

        async def waiting() -> T:
            return await work

        return self._runner.run(waiting())

    def set_clock(self, now: datetime | None) -> None:
        """What this connection's database takes for now; None: the wall clock."""
        text = "" if now is None else now.isoformat()
        self.tenant.make_clock_settable()
        self.wait(self.database.call(SET_CLOCK, [text]))

    def open_session(self, player_id: str = "1", *, game_id: str = SLOTS) -> Session:
        """A new game session, of the game's provider."""
        session = Session(uuid.uuid4(), new_id("token"), player_id, self.tenant.provider_of(game_id))
        wanted = {
            "ledger_id": self.tenant.ledger_id,
            "tenant_id": self.tenant.wallet(player_id)["tenant_id"],
            "player_id": player_id,
            "game_id": game_id,
            "session_id": session.session_id,
            "token_hash": bytes.fromhex(token_hash(session.token)),
            "country": None,
            "client_address": None,
            "live_providers": [session.provider_id],
        }
        code = self.wait(self.database.call(queries.OPEN_SESSION, wanted))[0][0]
        assert code is None, code
        return session

    def run(self, command: WalletCommand) -> WalletOutcome:
        """Execute one command whose wallet nobody else holds."""
        (outcome,) = self.run_batch([command])
        return outcome

    def run_batch(self, commands: Sequence[WalletCommand]) -> list[WalletOutcome]:
        """Execute commands together, in one database transaction."""
        outcomes = self.wait(self.ledger.execute(commands))
        assert None not in outcomes, "a wallet was busy"
        return [outcome for outcome in outcomes if outcome is not None]

    def accept(self, command: WalletCommand) -> WalletOutcome:
        """Execute a command that must be booked now."""
        outcome = self.run(command)
        assert (outcome.code, outcome.detail, outcome.replay) == (None, None, False), outcome
        return outcome

    def refuse(self, command: WalletCommand) -> str:
        """Execute a command that must be refused, for the first time; returns the code."""
        outcome = self.run(command)
        assert outcome.code is not None, outcome
        assert not outcome.replay, outcome
        return outcome.code

    def bet(self, session: Session, amount: int = STAKE_MINOR, **fields: Any) -> WalletCommand:
        """A bet that is booked."""
        command = session.debit(amount, **fields)
        self.accept(command)
        return command

    def balances(self, requests: Sequence[BalanceRequest]) -> list[Balance]:
        """Ask for balances."""
        found = self.wait(self.ledger.get_balances(requests))
        return [balance for balance in found if balance is not None]


def answer(command: WalletCommand, outcome: WalletOutcome) -> tuple[int, bytes]:
    """Status and body as they go over the wire."""
    status, _, body = messages.render_outcome(command, outcome)
    return status, body
