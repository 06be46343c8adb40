"""What may be known after a call to a wallet.

Owns the three outcomes, accepted, refused and unknown, and the record of attempts. It must never have a fourth.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from provider.wallet_client.actions import Action
from provider.wallet_client.messages import Head

UNREACHABLE: Final = "operator_unreachable"
BAD_RESPONSE: Final = "operator_bad_response"
REJECTED: Final = "operator_rejected"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The wallet did it, and signed that it did."""

    status: int
    balance_minor: int
    tombstone: bool
    replayed: bool
    members: dict[str, Any] = field(repr=False)
    body: bytes = field(repr=False)
    head: Head | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The wallet decided against it, and signed that."""

    status: int
    code: str
    action: Action
    members: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows. `code` is what a player's client would be told, `why` is for people."""

    code: str
    why: str
    status: int | None = None


Outcome = Accepted | Refused | Unknown


@dataclass(frozen=True, slots=True)
class Again:
    """The same id may be tried again, not before `after_seconds`; `if_given_up` is the outcome when it is not.

    An answer that asks for a new signature (`sign_anew`) does not prove that nothing happened.
    """

    if_given_up: Unknown
    after_seconds: float = 0.0
    sign_anew: bool = False
    server_time: object = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One HTTP attempt, for the record."""

    started: float  # monotonic seconds
    elapsed_ms: int
    status: int | None
    code: str | None
    signature: str
    failure: str | None


@dataclass(frozen=True, slots=True)
class Called:
    """An outcome and the attempts that led to it."""

    outcome: Outcome
    attempts: tuple[Attempt, ...]
