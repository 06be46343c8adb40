"""Defines the three outcomes of a call to a wallet (accepted, refused, unknown) and the record of its attempts."""

from dataclasses import dataclass, field
from typing import Any, Final

from provider.wallet_client.actions import Action
from provider.wallet_client.messages import Head

UNREACHABLE: Final = "operator_unreachable"
BAD_RESPONSE: Final = "operator_bad_response"
REJECTED: Final = "operator_rejected"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The wallet executed the call and signed its answer."""

    status: int
    balance_minor: int
    tombstone: bool
    replayed: bool
    members: dict[str, Any] = field(repr=False)
    body: bytes = field(repr=False)
    head: Head | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The wallet refused the call and signed its answer."""

    status: int
    code: str
    action: Action
    members: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unknown:
    """The wallet may or may not have executed the call. `code`: for the books; `why`: for logs and support."""

    code: str
    why: str
    status: int | None = None


Outcome = Accepted | Refused | Unknown


@dataclass(frozen=True, slots=True)
class Retryable:
    """The call may be repeated with the same id after `after_seconds`; `if_given_up` is the outcome without a retry.

    `sign_anew`: sign again, with the clock corrected by `server_time`. Such an answer does not prove that nothing
    happened.
    """

    if_given_up: Unknown
    after_seconds: float = 0.0
    sign_anew: bool = False
    server_time: object = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One HTTP attempt, as it is stored for support."""

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
