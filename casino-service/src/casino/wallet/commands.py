"""The wallet's commands and their outcomes, and the one call that executes a batch of them.

`casino.execute_wallet_commands` decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

import msgspec

from casino.wallet import queries
from shared_service.postgres.database import Database

Kind = Literal["debit", "credit", "rollback"]


class WalletCommand(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One debit, credit or rollback of a provider. `amount` is in minor units.

    `provider_id` is the peer whose key signed it: another peer's sessions, rounds and transactions do not exist for it.
    `draining`: the peer gets no new bets. `signed_by` is the id of the key; without it nothing is booked.
    `clock_skew_seconds` is how far the signer's clock is behind this one. `received_us` is the time of arrival in
    microseconds since 1970.
    `nonce` is claimed when the command is judged; None: it is claimed already. `signed_at` is the signature's time in
    unix seconds. `claim_id` is random: a second execution of the same command knows its own claim by it.
    """

    kind: Kind
    provider_id: str
    token_hash: str
    player_id: str
    transaction_id: str
    round_id: str
    request_id: str
    signed_by: str
    draining: bool = False
    amount: int = 0
    currency: str | None = None
    related_id: str | None = None
    end_round: bool = False
    reason: str | None = None
    clock_skew_seconds: int | None = None
    received_us: int | None = None
    nonce: str | None = None
    signed_at: int | None = None
    claim_id: int | None = None


@dataclass(frozen=True, slots=True)
class WalletOutcome:
    """The outcome of a command. `code` is None for a booked one. `replay`: the command was answered before.

    `detail` depends on the code: the field that differs, or the bound in minor units that a stake breaks. `head` is the
    position in the wallet's hash chain; None for a refusal, and for a replay of an answer without a head.
    """

    code: str | None
    detail: str | None
    replay: bool
    balance_minor: int | None
    currency: str | None
    tombstone: bool
    already_rolled_back: bool
    request_id: str
    head: str | None = None


class BalanceRequest(msgspec.Struct, frozen=True, rename="camel"):
    """A provider's request for a session's balance. `nonce`, `signed_at` and `claim_id`: see `WalletCommand`."""

    provider_id: str
    token_hash: str
    player_id: str
    nonce: str | None = None
    signed_at: int | None = None
    claim_id: int | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """A session's balance in minor units, or the code of the refusal."""

    code: str | None
    balance_minor: int | None
    currency: str | None
    head: str | None
    """That of the wallet's newest entry; None before the first."""


BUSY: Final = "busy"
NONCE_REPLAY: Final = "nonce_replay"
"""The code of a command or a question whose nonce was used before. Nothing else was looked at."""
_encoder = msgspec.json.Encoder()


def token_hash(session_token: str) -> str:
    """Returns the hex SHA-256 of a session's token, by which it is stored and found."""
    return sha256(session_token.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Ledger:
    """Executes batches of one ledger, for group commit."""

    database: Database
    ledger_id: int

    async def execute(self, commands: Sequence[WalletCommand]) -> list[WalletOutcome | None]:
        """Execute a batch. Several commands of one wallet are executed one after the other, in their order.

        An outcome is None where another process holds the wallet.
        """
        rows = await self.database.call(
            queries.EXECUTE_WALLET_COMMANDS, (self.ledger_id, _encoder.encode(commands).decode())
        )
        return [None if outcome == BUSY else WalletOutcome(*answer) for outcome, *answer in rows]

    async def get_balances(self, requests: Sequence[BalanceRequest]) -> list[Balance | None]:
        """Read balances for a batch of sessions, and extend the sessions."""
        rows = await self.database.call(queries.GET_BALANCES, (self.ledger_id, _encoder.encode(requests).decode()))
        return [Balance(*row) for row in rows]
